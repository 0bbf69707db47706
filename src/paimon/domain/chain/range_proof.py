"""How sure it is that nothing is missing from what was recorded of a range of blocks, and what a node was caught at.

A node can leave logs out of its answer, and nothing that is recorded shows it. So each range keeps how it was proven, and a
weaker proof can be made a stronger one later.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class ProofLevel(StrEnum):
    """Weakest first."""

    NONE = "none"
    CHAINED = "chained"
    AGREED = "agreed"
    RECEIPTS = "receipts"

    @property
    def rank(self) -> int:
        return _RANKS[self]

    @property
    def description(self) -> str:
        return _DESCRIPTIONS[self]


_RANKS: Final = {level: rank for rank, level in enumerate(ProofLevel)}
_DESCRIPTIONS: Final = {
    ProofLevel.NONE: "nothing was proven",
    ProofLevel.CHAINED: "ranges chained, every log within its block's hashed bloom; one left out would not be seen",
    ProofLevel.AGREED: "the same, and two endpoints gave the same logs",
    ProofLevel.RECEIPTS: "every log there is, by each header's bloom and receipts root",
}

PROOF_LEVEL_REQUIRED: Final = ProofLevel.AGREED
"""What recorded blocks should have in the end: below it a log that one endpoint left out is seen by nobody."""


class InvalidResponseKind(StrEnum):
    """What an endpoint's answer was, held against what the header commits to."""

    WRONG_HEADER = "wrong_header"  # does not hash to the block's hash
    WRONG_RECEIPTS = "wrong_receipts"  # do not have the header's root
    OMITTED_LOG = "omitted_log"  # is in the receipts, was not given
    FORGED_LOG = "forged_log"  # was given, is not in the block
    CHANGED_LOG = "changed_log"  # is in the block, otherwise than it was given


@dataclass(frozen=True, slots=True)
class RangeProof:
    """Blocks `first` to `last`, both included, and how all of them were proven at least."""

    first: int
    last: int
    level: ProofLevel

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"a range from block {self.first} to {self.last} has no blocks")


def raise_proof_level(proofs: Sequence[RangeProof], proven: RangeProof) -> list[RangeProof]:
    """The proofs after `proven` was added: nowhere weaker than before, neighbours of one level merged.

    What is given overlaps nowhere. Blocks that no proof tells of stay so, but for those of `proven`.
    """
    return [*_merge_adjacent(sorted([*_unaffected(proofs, proven), *_upgraded(proofs, proven)], key=lambda each: each.first))]


def _unaffected(proofs: Sequence[RangeProof], proven: RangeProof) -> Iterator[RangeProof]:
    for each in proofs:
        if each.first < proven.first:
            yield replace(each, last=min(each.last, proven.first - 1))
        if each.last > proven.last:
            yield replace(each, first=max(each.first, proven.last + 1))


def _upgraded(proofs: Sequence[RangeProof], proven: RangeProof) -> Iterator[RangeProof]:
    """What was proven better before stays; the rest is as `proven` says."""
    after = proven.first
    for each in sorted(proofs, key=lambda each: each.first):
        first, last = max(each.first, proven.first), min(each.last, proven.last)
        if first > last or each.level.rank <= proven.level.rank:
            continue
        if after < first:
            yield replace(proven, first=after, last=first - 1)
        yield replace(each, first=first, last=last)
        after = last + 1
    if after <= proven.last:
        yield replace(proven, first=after)


def _merge_adjacent(proofs: Iterable[RangeProof]) -> Iterator[RangeProof]:
    before: RangeProof | None = None
    for each in proofs:
        if before is not None and (before.last + 1, before.level) == (each.first, each.level):
            before = replace(before, last=each.last)
            continue
        if before is not None:
            yield before
        before = each
    if before is not None:
        yield before
