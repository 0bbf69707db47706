"""A Merkle tree over a growing list, with proofs that a leaf is in it and that it only grew.

Source: RFC 6962, section 2.1. A leaf's hash is SHA-256 of 0x00 and its content, a node's is SHA-256 of 0x01 and its children.
A tree of n leaves splits at the largest power of two below n.

A complete subtree is named by its level (0 for a leaf) and its index from the left: it covers the leaves from index · 2^level.
Its hash never changes, so proofs are read from stored subtrees, and appending needs those of the right edge only.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from paimon.domain.kernel.chain import Hash32

EMPTY_ROOT: Final = Hash32(sha256(b"").digest())
"""The root of a tree without leaves."""


@dataclass(frozen=True, slots=True)
class Subtree:
    """A complete subtree: 2^level leaves, from index · 2^level on."""

    level: int
    index: int

    @property
    def first(self) -> int:
        return self.index << self.level

    @property
    def end(self) -> int:
        return self.first + (1 << self.level)


HashOf = Callable[[Subtree], Hash32]
"""Returns the hash of a complete subtree."""


class ProofInvalid(ValueError):
    """The proof does not lead to the root; the message says where it ends."""


def leaf_hash(content: bytes) -> Hash32:
    """Return the hash of a leaf with this content."""
    return Hash32(sha256(b"\x00" + content).digest())


def node_hash(left: Hash32, right: Hash32) -> Hash32:
    """Return the hash of a node with these children."""
    return Hash32(sha256(b"\x01" + left + right).digest())


def edge_of(size: int) -> list[Subtree]:
    """Return the complete subtrees of which a tree of this size consists, from the left: one for each bit that is set."""
    levels = [level for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]
    return [Subtree(level, (size >> level) - 1) for level in levels]


@dataclass(slots=True)
class GrowingTree:
    """The right edge of a tree, which is all that appending needs: the hashes of `edge_of(size)`."""

    size: int = 0
    edge: list[Hash32] = field(default_factory=list)

    def append(self, leaf: Hash32) -> Iterator[tuple[Subtree, Hash32]]:
        """Append a leaf and yield the subtrees that it completes, from the leaf upwards. Exhaust the iterator."""
        index, level = self.size, 0
        self.size += 1
        yield Subtree(0, index), leaf
        while index & 1:
            leaf = node_hash(self.edge.pop(), leaf)
            index, level = index >> 1, level + 1
            yield Subtree(level, index), leaf
        self.edge.append(leaf)

    def root(self) -> Hash32:
        """Return the root of the tree as it is now."""
        return _join(self.edge)


def root_of(leaves: Iterable[Hash32]) -> Hash32:
    """Return the root of the tree of these leaves."""
    tree = GrowingTree()
    for leaf in leaves:
        for _ in tree.append(leaf):
            pass
    return tree.root()


def _join(edge: Sequence[Hash32]) -> Hash32:
    if not edge:
        return EMPTY_ROOT
    *rest, root = edge
    for left in reversed(rest):
        root = node_hash(left, root)
    return root


def _range_hash(first: int, end: int, hash_of: HashOf) -> Hash32:
    """Return the hash of leaves `first` to `end` - 1, which begin where a subtree of their size does."""
    return _join([hash_of(Subtree(part.level, part.index + (first >> part.level))) for part in edge_of(end - first)])


def _split(size: int) -> int:
    """Return the largest power of two below this size, which is at least 2."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_proof(index: int, size: int, hash_of: HashOf) -> list[Hash32]:
    """Return the hashes that lead from leaf `index` to the root of a tree of this size, from the leaf upwards.

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    first, end, path = 0, size, list[Hash32]()
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            path.append(_range_hash(middle, end, hash_of))
            end = middle
        else:
            path.append(_range_hash(first, middle, hash_of))
            first = middle
    return path[::-1]


def verify_inclusion(leaf: Hash32, index: int, size: int, proof: Sequence[Hash32], root: Hash32) -> None:
    """Check that the leaf is at this index of the tree with this size and root.

    Raises:
        ProofInvalid
    """
    if not 0 <= index < size:
        raise ProofInvalid(f"a tree of {size} leaves has no leaf {index}")
    sides = _sides(index, size)
    if len(sides) != len(proof):
        raise ProofInvalid(f"the proof has {len(proof)} hashes; a leaf {index} of {size} needs {len(sides)}")
    found = leaf
    for sibling_is_left, sibling in zip(sides, proof, strict=True):
        found = node_hash(sibling, found) if sibling_is_left else node_hash(found, sibling)
    if found != root:
        raise ProofInvalid(f"the proof leads to {found.hex()}, not to the root {root.hex()}")


def _sides(index: int, size: int) -> list[bool]:
    """Return for each node of the way up whether its sibling is on the left."""
    first, end, sides = 0, size, list[bool]()
    while end - first > 1:
        middle = first + _split(end - first)
        sides.append(index >= middle)
        first, end = (middle, end) if index >= middle else (first, middle)
    return sides[::-1]


def consistency_proof(old_size: int, size: int, hash_of: HashOf) -> list[Hash32]:
    """Return the hashes that show that the tree of this size begins with the tree of `old_size` leaves.

    Raises:
        ValueError: the older tree is the larger one.
    """
    if not 0 <= old_size <= size:
        raise ValueError(f"a tree of {size} leaves never had {old_size}")
    first, end, path, is_whole = 0, size, list[Hash32](), True
    if old_size == 0:
        return []
    while old_size < end:
        middle = first + _split(end - first)
        if old_size <= middle:
            path.append(_range_hash(middle, end, hash_of))
            end = middle
        else:
            path.append(_range_hash(first, middle, hash_of))
            first, is_whole = middle, False
    if not is_whole:
        path.append(_range_hash(first, end, hash_of))
    return path[::-1]


def verify_consistency(old_size: int, old_root: Hash32, size: int, root: Hash32, proof: Sequence[Hash32]) -> None:
    """Check that the tree with this size and root begins with the tree of `old_size` leaves and `old_root`.

    Raises:
        ProofInvalid
    """
    if not 0 <= old_size <= size:
        raise ProofInvalid(f"a tree of {size} leaves never had {old_size}")
    if old_size == 0:
        if proof or old_root != EMPTY_ROOT:
            raise ProofInvalid("an empty tree has no hashes, and one root")
        return
    sides, is_whole = _consistency_sides(old_size, size)
    if len(proof) != len(sides) + (not is_whole):
        raise ProofInvalid(f"the proof has {len(proof)} hashes; from {old_size} to {size} it needs another number")
    rest = list(proof)
    old_found = found = old_root if is_whole else rest.pop(0)
    for sibling_is_left, sibling in zip(sides, rest, strict=True):
        if sibling_is_left:
            old_found, found = node_hash(sibling, old_found), node_hash(sibling, found)
        else:
            found = node_hash(found, sibling)
    if old_found != old_root:
        raise ProofInvalid(f"the proof leads to {old_found.hex()}, not to the older root {old_root.hex()}")
    if found != root:
        raise ProofInvalid(f"the proof leads to {found.hex()}, not to the root {root.hex()}")


def _consistency_sides(old_size: int, size: int) -> tuple[list[bool], bool]:
    """Return the sides of the way up, and whether the older tree is one complete subtree from the left."""
    first, end, sides = 0, size, list[bool]()
    while old_size < end:
        middle = first + _split(end - first)
        sides.append(old_size > middle)
        first, end = (middle, end) if old_size > middle else (first, middle)
    return sides[::-1], first == 0
