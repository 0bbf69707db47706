"""The next nonce: no gap, no reuse, never below the counter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.transaction.nonce import (
    NonceCounts,
    NonceOutcome,
    UseNonce,
    WaitForNonce,
    choose_nonce,
    missing_nonces,
    nonce_outcome,
)

pytestmark = pytest.mark.unit

COUNTS = st.integers(0, 30)


@st.composite
def views(draw: st.DrawFn) -> NonceCounts:
    counter, latest = draw(COUNTS), draw(COUNTS)
    lowest_open = draw(st.none() | st.integers(0, counter - 1)) if counter else None
    return NonceCounts(counter, lowest_open, draw(st.integers(0, latest)), latest)


@given(views())
def test_nonce_is_never_below_the_counter_or_the_chain(view: NonceCounts) -> None:
    chosen = choose_nonce(view)
    if isinstance(chosen, UseNonce):
        assert chosen.nonce >= view.counter
        assert chosen.nonce >= view.final_nonce
        assert chosen.nonce >= view.latest_nonce


@given(views())
def test_every_nonce_below_the_chosen_one_is_explained(view: NonceCounts) -> None:
    """Each is used on the final chain, held by an attempt of ours, or waited for; no slot is empty."""
    chosen = choose_nonce(view)
    if isinstance(chosen, UseNonce):
        held_from = view.counter if view.lowest_open is None else view.lowest_open
        for nonce in range(chosen.nonce):
            assert nonce < view.final_nonce or nonce < view.latest_nonce or held_from <= nonce < view.counter


@given(views())
def test_external_transaction_moves_the_counter_only_when_final(view: NonceCounts) -> None:
    chosen = choose_nonce(view)
    if isinstance(chosen, UseNonce):
        assert len(chosen.external) == max(0, view.final_nonce - view.counter)
    elif view.latest_nonce > view.counter:
        assert view.final_nonce < view.latest_nonce


def test_counter_is_used_when_the_chain_agrees() -> None:
    assert choose_nonce(NonceCounts(7, None, 7, 7)) == UseNonce(7, range(7, 7))
    assert choose_nonce(NonceCounts(7, 5, 4, 5)) == UseNonce(7, range(7, 7))


def test_node_behind_the_final_count_makes_signing_wait() -> None:
    waits = choose_nonce(NonceCounts(7, None, 5, 6))
    assert isinstance(waits, WaitForNonce)
    assert "it lags" in waits.reason


@given(nonce=COUNTS, mined_block=st.none() | COUNTS, final_number=COUNTS, used=COUNTS)
def test_nonce_is_lost_only_with_every_answer_present(
    nonce: int, mined_block: int | None, final_number: int, used: int
) -> None:
    outcome = nonce_outcome(nonce, mined_block=mined_block, final_number=final_number, final_nonce=used)
    assert (outcome is NonceOutcome.USED_EXTERNALLY) == (mined_block is None and used > nonce)
    assert (outcome is NonceOutcome.FINAL) == (mined_block is not None and mined_block <= final_number)
    assert (outcome is NonceOutcome.PENDING) == (mined_block is None and used <= nonce)


@given(COUNTS, COUNTS, st.sets(COUNTS))
def test_missing_nonces_are_assigned_unused_and_without_attempt(used: int, counter: int, attempted: set[int]) -> None:
    missing = missing_nonces(latest_nonce=used, counter=counter, attempted=attempted)
    assert not attempted & set(missing)
    assert set(missing) | (attempted & set(range(used, counter))) == set(range(used, counter))
