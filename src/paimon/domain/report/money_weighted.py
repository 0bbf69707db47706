"""The money-weighted return of a holder (XIRR): the yearly rate at which all flows are worth nothing together.

A rate r solves the sum of flow / (1 + r) ** (days since the first / 365) = 0. Money in is negative, what came back and what is
left is positive. The rate is found by bisection in Decimal, so that it is the same on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

_CONTEXT: Final = Context(prec=40, rounding=ROUND_HALF_EVEN)
_SECONDS_OF_YEAR: Final = Decimal(365 * 86_400)
_LOWEST, _HIGHEST = Decimal("-0.9999"), Decimal(1_000)
_PLACES: Final = Decimal(1).scaleb(-8)
_STEPS_MAX: Final = 64
"""Halvings of the interval: enough for the places that are shown."""


@dataclass(frozen=True, slots=True)
class CashFlow:
    """Money at a time, in raw units: negative when the holder put it in."""

    at: datetime
    amount: int


def money_weighted_return(flows: Sequence[CashFlow]) -> Decimal | None:
    """Return the yearly rate, rounded half to even to 8 places.

    None where there is none: nothing was put in or nothing is left, the first flow and the last are at one time, or no rate
    between -99.99 % and 100 000 % a year makes the flows worth nothing.
    """
    moved = [flow for flow in flows if flow.amount]
    if not moved:
        return None
    start = min(flow.at for flow in moved)
    dated = [(_years(start, flow.at), Decimal(flow.amount)) for flow in moved]
    low, high = _LOWEST, _HIGHEST
    at_low, at_high = _worth(dated, low), _worth(dated, high)
    if at_low == 0 or at_high == 0 or (at_low > 0) == (at_high > 0):
        return None
    for _ in range(_STEPS_MAX):
        middle = (low + high) / 2
        if (_worth(dated, middle) > 0) == (at_low > 0):
            low = middle
        else:
            high = middle
    return _CONTEXT.quantize((low + high) / 2, _PLACES) + 0  # no rate is -0


def _years(start: datetime, at: datetime) -> Decimal:
    passed = at - start
    return _CONTEXT.divide(Decimal(passed.days * 86_400 + passed.seconds), _SECONDS_OF_YEAR)


def _worth(dated: Sequence[tuple[Decimal, Decimal]], rate: Decimal) -> Decimal:
    """Return what all flows are worth at the first one's time."""
    growth = 1 + rate
    return sum((_CONTEXT.divide(amount, _CONTEXT.power(growth, years)) for years, amount in dated), Decimal(0))
