"""Integer arithmetic of amounts and ratios: exact, and rounded only as stated."""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.kernel.units import BPS_ONE, UINT256_MAX, Bps, RawAmount, Rounding, divide, portion, ratio_bps

pytestmark = pytest.mark.unit

AMOUNTS = st.integers(0, UINT256_MAX).map(RawAmount)
RATES = st.integers(0, BPS_ONE).map(Bps)


@given(AMOUNTS, RATES, st.sampled_from(Rounding))
def test_portion_and_remainder_always_add_up(amount: RawAmount, rate: Bps, rounding: Rounding) -> None:
    opposite = Rounding.UP if rounding is Rounding.DOWN else Rounding.DOWN
    rest = portion(amount, Bps(BPS_ONE - rate), rounding=opposite)
    assert portion(amount, rate, rounding=rounding) + rest == amount


@given(AMOUNTS, st.integers(1, UINT256_MAX))
def test_division_is_fraction_rounded_as_stated(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    assert divide(numerator, denominator, rounding=Rounding.DOWN) == floor(exact)
    assert divide(numerator, denominator, rounding=Rounding.UP) == ceil(exact)


@given(AMOUNTS, RATES)
def test_portion_is_never_off_by_one_unit(amount: RawAmount, rate: Bps) -> None:
    exact = Fraction(amount * rate, BPS_ONE)
    assert portion(amount, rate, rounding=Rounding.DOWN) == floor(exact)
    assert portion(amount, rate, rounding=Rounding.UP) == ceil(exact)


def test_portion_is_exact_where_float_is_off_by_29_units() -> None:
    amount = RawAmount(123456789012345678901)
    assert portion(amount, Bps(37), rounding=Rounding.DOWN) == 456790119345679011


@given(AMOUNTS, AMOUNTS)
def test_ratios_of_two_parts_miss_whole_by_one_point_at_most(one: RawAmount, other: RawAmount) -> None:
    ratios = ratio_bps(one, one + other) + ratio_bps(other, one + other)
    assert ratios in (BPS_ONE - 1, BPS_ONE) or one + other == 0


def test_ratio_of_empty_whole_is_zero() -> None:
    assert ratio_bps(0, 0) == 0


@pytest.mark.parametrize(("numerator", "denominator"), [(-1, 1), (1, 0), (1, -1), (0, 0)])
def test_division_of_negatives_or_by_zero_is_refused(numerator: int, denominator: int) -> None:
    with pytest.raises(ValueError, match="numerator ≥ 0 and denominator > 0"):
        divide(numerator, denominator, rounding=Rounding.DOWN)
