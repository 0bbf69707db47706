"""Observations: what no source may say, how a price without a time grows old, and numbers of any size."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.prices import WEDNESDAY, observation, wad

from paimon.domain.kernel.units import UINT256_MAX, WAD
from paimon.domain.price.observation import (
    ADAPTER_SOURCE,
    PRICE_MAX,
    Observation,
    PriceFault,
    Quote,
    is_repeated,
    observe,
    scaled,
)

pytestmark = pytest.mark.unit

HOUR = timedelta(hours=1)


def seen(price: int | None, valued_at: datetime | None = WEDNESDAY, last_good: Observation | None = None) -> Observation:
    return observe(ADAPTER_SOURCE, Quote(price, valued_at), last_good, now=WEDNESDAY)


@pytest.mark.parametrize(
    ("price", "fault"),
    [
        (None, PriceFault.UNREADABLE),
        (0, PriceFault.NOT_POSITIVE),
        (-1, PriceFault.NOT_POSITIVE),
        (-(2**255), PriceFault.NOT_POSITIVE),
        (1, None),
        (PRICE_MAX, None),
        (PRICE_MAX + 1, PriceFault.TOO_LARGE),
        (UINT256_MAX, PriceFault.TOO_LARGE),
        pytest.param(10**5_000, PriceFault.TOO_LARGE, id="5001 digits"),  # no message may print it
    ],
)
def test_price_that_no_token_has_is_a_fault(price: int | None, fault: PriceFault | None) -> None:
    found = seen(price)
    assert (found.fault, found.price) == (fault, price if fault is None else None)
    assert (found.detail is None) == (fault is None)


def test_valuation_ahead_of_now_is_a_fault_beyond_a_minute() -> None:
    assert seen(WAD, WEDNESDAY + timedelta(seconds=60)).fault is None
    assert seen(WAD, WEDNESDAY + timedelta(seconds=61)).fault is PriceFault.IN_FUTURE


def test_valuation_before_the_last_one_is_a_fault_also_after_others() -> None:
    good = seen(WAD, WEDNESDAY - HOUR)
    assert seen(WAD, WEDNESDAY - 2 * HOUR, good).fault is PriceFault.OLDER_THAN_BEFORE
    assert seen(2 * WAD, WEDNESDAY - HOUR, good).fault is None


def test_fault_keeps_the_time_and_the_count_of_the_last_good_price() -> None:
    good = seen(WAD, WEDNESDAY - 5 * HOUR)
    found = seen(0, None, good)
    assert (found.valued_at, found.publications) == (good.valued_at, 1)
    assert seen(2 * WAD, WEDNESDAY, good).publications == 2


def test_price_without_a_time_that_stands_still_grows_old() -> None:
    first = observe(ADAPTER_SOURCE, Quote(WAD, None), None, now=WEDNESDAY - 5 * HOUR)
    same = observe(ADAPTER_SOURCE, Quote(WAD, None), first, now=WEDNESDAY)
    assert same.valued_at == WEDNESDAY - 5 * HOUR
    assert is_repeated(same, first)
    moved = observe(ADAPTER_SOURCE, Quote(WAD + 1, None), first, now=WEDNESDAY)
    assert (moved.valued_at, moved.publications) == (WEDNESDAY, 2)
    assert not is_repeated(moved, first)


def test_source_that_says_the_same_is_recorded_once() -> None:
    first = observation(1)
    assert is_repeated(observation(1), first)
    assert not is_repeated(observation("1.01"), first)
    assert not is_repeated(observation(None), first)
    assert not is_repeated(first, None)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("1.05", wad("1.05")),
        ("0.0000000000000000019", 1),  # rounded down
        ("1e-999999999", 0),
        ("-2", -2 * WAD),
        ("1e40", None),
        ("1e999999999", None),
        ("NaN", None),
        ("Infinity", None),
        ("sNaN", None),
    ],
)
def test_decimal_is_scaled_without_building_its_digits(number: str, expected: int | None) -> None:
    assert scaled(Decimal(number)) == expected


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_any_number_is_scaled_or_refused(number: Decimal) -> None:
    found = scaled(number)
    assert found is None or abs(found) < 10**60
