"""The tree against the recursive definition and the published vectors of RFC 6962, and proofs that are refused."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.audit.merkle_tree import (
    EMPTY_ROOT,
    GrowingTree,
    ProofInvalid,
    Subtree,
    consistency_proof,
    edge_of,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from paimon.domain.kernel.chain import Hash32

# The leaves and roots of the reference implementation of Certificate Transparency.
VECTOR = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}

LEAVES = [leaf_hash(number.to_bytes(2, "big")) for number in range(130)]


def grown(size: int) -> tuple[GrowingTree, dict[Subtree, Hash32]]:
    tree, subtrees = GrowingTree(), dict[Subtree, Hash32]()
    for leaf in LEAVES[:size]:
        subtrees.update(tree.append(leaf))
    return tree, subtrees


def defined_root(leaves: Sequence[Hash32]) -> Hash32:
    """The root by the definition of RFC 6962, section 2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY_ROOT
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(defined_root(leaves[:split]), defined_root(leaves[split:]))


@pytest.mark.parametrize(("size", "root"), ROOTS.items())
def test_roots_are_those_of_the_reference(size: int, root: str) -> None:
    assert root_of(leaf_hash(bytes.fromhex(text)) for text in VECTOR[:size]).hex() == root


def test_growing_tree_has_the_defined_root_at_every_size() -> None:
    tree = GrowingTree()
    for size, leaf in enumerate(LEAVES, start=1):
        completed = list(tree.append(leaf))
        assert all(found.end == size for found, _ in completed)
        assert tree.root() == defined_root(LEAVES[:size])


def test_tree_grows_on_from_its_stored_edge() -> None:
    for size in range(len(LEAVES)):
        _, subtrees = grown(size)
        resumed = GrowingTree(size, [subtrees[part] for part in edge_of(size)])
        list(resumed.append(LEAVES[size]))
        assert resumed.root() == defined_root(LEAVES[: size + 1])


def test_every_leaf_is_proven_at_every_size() -> None:
    _, subtrees = grown(len(LEAVES))
    for size in range(1, 70):
        for index in range(size):
            proof = inclusion_proof(index, size, subtrees.__getitem__)
            verify_inclusion(LEAVES[index], index, size, proof, defined_root(LEAVES[:size]))


def test_every_tree_is_proven_to_begin_with_every_smaller_one() -> None:
    _, subtrees = grown(len(LEAVES))
    roots = [defined_root(LEAVES[:size]) for size in range(70)]
    for size, root in enumerate(roots):
        for old_size, old_root in enumerate(roots[: size + 1]):
            proof = consistency_proof(old_size, size, subtrees.__getitem__)
            verify_consistency(old_size, old_root, size, root, proof)


@given(size=st.integers(1, 130), data=st.data())
def test_changed_proof_of_a_leaf_is_refused(size: int, data: st.DataObject) -> None:
    _, subtrees = grown(size)
    root, index = defined_root(LEAVES[:size]), data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, subtrees.__getitem__)
    other = data.draw(st.integers(0, size - 1).filter(lambda other: other != index) if size > 1 else st.just(index + 1))
    wrong = [(LEAVES[index], other, proof), (leaf_hash(b"forged"), index, proof), (LEAVES[index], index, [*proof, root])]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        wrong += [(LEAVES[index], index, [*proof[:at], leaf_hash(proof[at]), *proof[at + 1 :]])]
        wrong += [(LEAVES[index], index, proof[:-1])]
    for leaf, position, hashes in wrong:
        with pytest.raises(ProofInvalid):
            verify_inclusion(leaf, position, size, hashes, root)


@given(size=st.integers(2, 130), data=st.data())
def test_changed_proof_of_growth_is_refused(size: int, data: st.DataObject) -> None:
    _, subtrees = grown(size)
    old_size = data.draw(st.integers(1, size - 1))
    old_root, root = defined_root(LEAVES[:old_size]), defined_root(LEAVES[:size])
    proof = consistency_proof(old_size, size, subtrees.__getitem__)
    at = data.draw(st.integers(0, len(proof) - 1))
    wrong = [
        (leaf_hash(old_root), root, proof),
        (old_root, leaf_hash(root), proof),
        (old_root, root, [*proof[:at], leaf_hash(proof[at]), *proof[at + 1 :]]),
        (old_root, root, proof[:-1]),
        (old_root, root, [*proof, root]),
    ]
    for old, new, hashes in wrong:
        with pytest.raises(ProofInvalid):
            verify_consistency(old_size, old, size, new, hashes)


def test_proof_that_cannot_be_is_refused() -> None:
    _, subtrees = grown(5)
    with pytest.raises(ValueError, match="no leaf 5"):
        inclusion_proof(5, 5, subtrees.__getitem__)
    with pytest.raises(ValueError, match="never had 6"):
        consistency_proof(6, 5, subtrees.__getitem__)
    with pytest.raises(ProofInvalid):
        verify_consistency(0, leaf_hash(b""), 5, defined_root(LEAVES[:5]), [])
