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
def test_a_portion_and_its_remainder_always_add_up(amount: RawAmount, rate: Bps, rounding: Rounding) -> None:
    opposite = Rounding.UP if rounding is Rounding.DOWN else Rounding.DOWN
    rest = portion(amount, Bps(BPS_ONE - rate), rounding=opposite)
    assert portion(amount, rate, rounding=rounding) + rest == amount


@given(AMOUNTS, st.integers(1, UINT256_MAX))
def test_a_division_is_the_fraction_rounded_as_stated(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    assert divide(numerator, denominator, rounding=Rounding.DOWN) == floor(exact)
    assert divide(numerator, denominator, rounding=Rounding.UP) == ceil(exact)


@given(AMOUNTS, RATES)
def test_a_portion_is_never_off_by_a_unit(amount: RawAmount, rate: Bps) -> None:
    exact = Fraction(amount * rate, BPS_ONE)
    assert portion(amount, rate, rounding=Rounding.DOWN) == floor(exact)
    assert portion(amount, rate, rounding=Rounding.UP) == ceil(exact)


def test_a_portion_that_a_float_gets_wrong_by_29_units() -> None:
    amount = RawAmount(123456789012345678901)
    assert portion(amount, Bps(37), rounding=Rounding.DOWN) == 456790119345679011


@given(AMOUNTS, AMOUNTS)
def test_the_ratios_of_two_parts_fall_short_of_the_whole_by_at_most_a_point(one: RawAmount, other: RawAmount) -> None:
    ratios = ratio_bps(one, one + other) + ratio_bps(other, one + other)
    assert ratios in (BPS_ONE - 1, BPS_ONE) or one + other == 0


def test_an_empty_whole_has_no_ratio_to_show() -> None:
    assert ratio_bps(0, 0) == 0


@pytest.mark.parametrize(("numerator", "denominator"), [(-1, 1), (1, 0), (1, -1), (0, 0)])
def test_a_division_that_has_no_meaning_here_is_refused(numerator: int, denominator: int) -> None:
    with pytest.raises(ValueError, match="numerator ≥ 0 and denominator > 0"):
        divide(numerator, denominator, rounding=Rounding.DOWN)
