"""Proof levels of recorded block ranges, and the kinds of invalid response an endpoint can give.

An endpoint can omit logs from a response, and nothing recorded shows it. Each range therefore keeps how it was proven, and
a later proof can raise the level.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class ProofLevel(StrEnum):
    """How well a range is proven, weakest first."""

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
"""The level every recorded block should reach. Below it, nothing detects a log that one endpoint omitted."""


class InvalidResponseKind(StrEnum):
    """What is wrong with a response, checked against what the block header commits to."""

    WRONG_HEADER = "wrong_header"  # does not hash to the block's hash
    WRONG_RECEIPTS = "wrong_receipts"  # do not have the header's root
    OMITTED_LOG = "omitted_log"  # is in the receipts, was not given
    FORGED_LOG = "forged_log"  # was given, is not in the block
    CHANGED_LOG = "changed_log"  # is in the block, otherwise than it was given


@dataclass(frozen=True, slots=True)
class RangeProof:
    """The blocks `first` to `last`, both included, and the level that each of them has at least."""

    first: int
    last: int
    level: ProofLevel

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"a range from block {self.first} to {self.last} has no blocks")


def raise_proof_level(proofs: Sequence[RangeProof], proven: RangeProof) -> list[RangeProof]:
    """Add `proven` to the proofs: no block's level goes down, and neighbours of one level merge.

    The given proofs do not overlap. Blocks without a proof stay without one, except those of `proven`.
    """
    return [*_merge_adjacent(sorted([*_unaffected(proofs, proven), *_upgraded(proofs, proven)], key=lambda proof: proof.first))]


def _unaffected(proofs: Sequence[RangeProof], proven: RangeProof) -> Iterator[RangeProof]:
    for proof in proofs:
        if proof.first < proven.first:
            yield replace(proof, last=min(proof.last, proven.first - 1))
        if proof.last > proven.last:
            yield replace(proof, first=max(proof.first, proven.last + 1))


def _upgraded(proofs: Sequence[RangeProof], proven: RangeProof) -> Iterator[RangeProof]:
    """Yield the parts of `proven`, keeping every part that already has a better level."""
    after = proven.first
    for proof in sorted(proofs, key=lambda proof: proof.first):
        first, last = max(proof.first, proven.first), min(proof.last, proven.last)
        if first > last or proof.level.rank <= proven.level.rank:
            continue
        if after < first:
            yield replace(proven, first=after, last=first - 1)
        yield replace(proof, first=first, last=last)
        after = last + 1
    if after <= proven.last:
        yield replace(proven, first=after)


def _merge_adjacent(proofs: Iterable[RangeProof]) -> Iterator[RangeProof]:
    before: RangeProof | None = None
    for proof in proofs:
        if before is not None and (before.last + 1, before.level) == (proof.first, proof.level):
            before = replace(before, last=proof.last)
            continue
        if before is not None:
            yield before
        before = proof
    if before is not None:
        yield before
