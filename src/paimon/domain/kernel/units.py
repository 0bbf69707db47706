"""Amounts and ratios as the chain counts them: integers, with the rounding stated at every division."""

from enum import Enum
from typing import Final, NewType

RawAmount = NewType("RawAmount", int)
"""An on-chain integer amount of one token, in that token's smallest unit."""

NavPerShare = NewType("NavPerShare", int)
"""Net assets per share, scaled by 1e18."""

Bps = NewType("Bps", int)
"""Basis points: 10 000 = 100 %."""

BPS_ONE: Final = Bps(10_000)
WAD: Final = 10**18
UINT256_MAX: Final = 2**256 - 1


class Rounding(Enum):
    """The direction a division is rounded in. Solidity's own division rounds down."""

    DOWN = "down"
    UP = "up"


def divide(numerator: int, denominator: int, *, rounding: Rounding) -> int:
    """Divide two non-negative integers and round as stated.

    Raises:
        ValueError: an operand is negative, or the denominator is zero.
    """
    if numerator < 0 or denominator <= 0:
        raise ValueError(f"divide wants numerator ≥ 0 and denominator > 0, got {numerator} ÷ {denominator}")
    quotient, remainder = divmod(numerator, denominator)
    return quotient + 1 if remainder and rounding is Rounding.UP else quotient


def portion(amount: RawAmount, rate: Bps, *, rounding: Rounding) -> RawAmount:
    """Compute `rate` basis points of `amount`."""
    return RawAmount(divide(amount * rate, BPS_ONE, rounding=rounding))


def ratio_bps(part: int, whole: int) -> Bps:
    """Compute `part` of `whole` in basis points, rounded down. An empty whole gives 0, since an empty fund has no ratio."""
    return Bps(divide(part * BPS_ONE, whole, rounding=Rounding.DOWN)) if whole else Bps(0)
