"""Tests that proofs added in any order keep each block's strongest proof in as few ranges as possible."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.chain.range_proof import ProofLevel, RangeProof, raise_proof_level

pytestmark = pytest.mark.unit

PROOFS = st.builds(
    lambda first, length, level: RangeProof(first, first + length, level),
    st.integers(0, 40),
    st.integers(0, 12),
    st.sampled_from(ProofLevel),
)


@given(st.lists(PROOFS, max_size=12))
def test_each_block_keeps_strongest_proof_in_fewest_ranges(given_proofs: list[RangeProof]) -> None:
    kept: list[RangeProof] = []
    strongest: dict[int, ProofLevel] = {}
    for proof in given_proofs:
        kept = raise_proof_level(kept, proof)
        for block in range(proof.first, proof.last + 1):
            strongest[block] = max(strongest.get(block, ProofLevel.NONE), proof.level, key=lambda level: level.rank)
    assert {block: proof.level for proof in kept for block in range(proof.first, proof.last + 1)} == strongest
    assert sum(proof.last - proof.first + 1 for proof in kept) == len(strongest)
    for before, after in pairwise(kept):
        assert before.last < after.first
        assert before.last + 1 < after.first or before.level is not after.level


def test_range_without_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="no blocks"):
        RangeProof(2, 1, ProofLevel.CHAINED)
