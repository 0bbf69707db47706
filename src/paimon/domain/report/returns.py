"""Returns of a share: time-weighted, so that deposits and redemptions of others do not move them.

NAV per share after fees is what a holder has, so its relative change is the net return. Statistics over a series use the last
official point of each UTC day. Everything is a Decimal with 12 places, rounded half to even, and so the same on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import pairwise
from typing import Final

from paimon.domain.kernel.units import NavPerShare
from paimon.domain.report.inputs import NavReading

DAYS_OF_YEAR: Final = 365
_PLACES: Final = Decimal(1).scaleb(-12)
_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
_RETURNS_MIN: Final = 5
"""Fewer daily returns than these give no volatility."""


def relative(part: int, whole: int) -> Decimal | None:
    """Return a part of a whole; None of nothing."""
    return None if whole == 0 else _rounded(_EXACT.divide(Decimal(part), Decimal(whole)))


def annualised(total: Decimal, lasted: timedelta) -> Decimal | None:
    """Return the yearly return that compounds to a total one; None for less than a year: the GIPS standards forbid it."""
    if lasted < timedelta(days=DAYS_OF_YEAR) or total <= -1:
        return None
    years = _EXACT.divide(Decimal(int(lasted.total_seconds())), Decimal(DAYS_OF_YEAR * 86_400))
    return _rounded(_EXACT.subtract(_EXACT.power(1 + total, _EXACT.divide(Decimal(1), years)), Decimal(1)))


def last_of_each_day(readings: Sequence[NavReading]) -> list[NavReading]:
    """Return the last reading of each UTC day, oldest first."""
    by_day: dict[date, NavReading] = {reading.at.date(): reading for reading in readings}
    return list(by_day.values())


def volatility(readings: Sequence[NavReading]) -> Decimal | None:
    """Return the sample standard deviation of the returns from day to day, times the root of the days of a year.

    None where fewer than five returns from one day to the next are known. A gap in the days is no return of one day.
    """
    days = last_of_each_day(readings)
    returns = [
        _EXACT.divide(Decimal(later.nav_per_share - earlier.nav_per_share), Decimal(earlier.nav_per_share))
        for earlier, later in pairwise(days)
        if earlier.nav_per_share and (later.at.date() - earlier.at.date()).days == 1
    ]
    if len(returns) < _RETURNS_MIN:
        return None
    mean = _EXACT.divide(sum(returns, Decimal(0)), Decimal(len(returns)))
    variance = _EXACT.divide(sum(((each - mean) ** 2 for each in returns), Decimal(0)), Decimal(len(returns) - 1))
    return _rounded(_EXACT.sqrt(_EXACT.multiply(variance, Decimal(DAYS_OF_YEAR))))


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall of NAV per share from a peak to the lowest point after it, as a part of the peak."""

    depth: Decimal
    peak_at: datetime
    trough_at: datetime


def max_drawdown(readings: Sequence[NavReading]) -> Drawdown | None:
    """Return the deepest fall, the earliest of equals; None where NAV never fell."""
    found: Drawdown | None = None
    peak: NavReading | None = None
    for reading in readings:
        if peak is None or reading.nav_per_share > peak.nav_per_share:
            peak = reading
            continue
        depth = relative(peak.nav_per_share - reading.nav_per_share, peak.nav_per_share)
        if depth is not None and depth > (found.depth if found else 0):
            found = Drawdown(depth, peak.at, reading.at)
    return found


def net_return(opening: NavPerShare, closing: NavPerShare) -> Decimal | None:
    """Return the change of NAV per share as a part of what it was."""
    return relative(closing - opening, opening)


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_PLACES, context=_EXACT)
