"""Answers of feeds on chain: complete rounds, times, decimals, and the ends of what a feed can say."""

from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.prices import wad

from paimon.domain.price.observation import PriceFault
from paimon.infrastructure.blockchain.contracts.aggregator import Round, quote_of

pytestmark = pytest.mark.unit

NOON: Final = 1_772_625_600


def answered(answer: int, *, updated_at: int = NOON, round_id: int = 7, answered_in: int = 7) -> Round:
    return Round(round_id, answer, updated_at, answered_in)


@pytest.mark.parametrize(
    ("decimals", "answer"), [(8, 105_000_000), (18, 1_050_000_000_000_000_000), (0, 1), (24, 1_05 * 10**22)]
)
def test_answer_is_scaled_from_the_feeds_decimals(decimals: int, answer: int) -> None:
    quote = quote_of(answered(answer), decimals, None, None)
    assert quote.price == (wad("1.05") if decimals else wad(1))
    assert quote.valued_at == datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("last", "fault"),
    [
        (answered(1, answered_in=6), PriceFault.ROUND_INCOMPLETE),
        (answered(1, updated_at=0), PriceFault.NO_TIME),
        (answered(1, answered_in=8), None),
        (answered(-5), None),  # the observation says that it is not positive
    ],
)
def test_round_that_is_not_complete_is_a_fault(last: Round, fault: PriceFault | None) -> None:
    assert quote_of(last, 8, None, None).fault is fault


@pytest.mark.parametrize(
    ("answer", "at_bound"), [(1_000, True), (1_010, True), (1_011, False), (98_999, False), (99_000, True), (100_000, True)]
)
def test_answer_within_a_hundredth_of_a_bound_says_nothing(answer: int, at_bound: bool) -> None:
    quote = quote_of(answered(answer), 8, 1_000, 100_000)
    assert (quote.fault is PriceFault.AT_BOUND) is at_bound


@given(
    st.integers(-(2**255), 2**255 - 1),
    st.integers(0, 36),
    st.none() | st.integers(-(2**191), 2**191 - 1),
    st.none() | st.integers(-(2**191), 2**191 - 1),
    st.integers(0, 2**256 - 1),
)
def test_any_answer_is_a_quote(answer: int, decimals: int, least: int | None, greatest: int | None, updated_at: int) -> None:
    quote = quote_of(answered(answer, updated_at=updated_at), decimals, least, greatest)
    assert (quote.price is None) == (quote.fault is not None)
