"""Dry run of thresholds: the breaches that they would have found in the recorded hours of an indicator.

An hour counts by its worst value. Hours of a breach that follow each other are one breach; an hour without a value neither ends
one nor belongs to it. Two breaches within an hour therefore count as one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from paimon.domain.risk.risk_policy import DEFINITIONS, Bad, IndicatorName, IndicatorStatus, Threshold

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class IndicatorHour:
    """The lowest and the highest value of an indicator in the hour that begins at `hour`."""

    hour: datetime
    minimum: Decimal
    maximum: Decimal

    def worst(self, bad: Bad) -> Decimal:
        return self.minimum if bad is Bad.LOW else self.maximum


@dataclass(frozen=True, slots=True)
class Breach:
    """A breach from its first hour to the end of its last one, with its worst status and value."""

    start: datetime
    end: datetime
    status: IndicatorStatus
    worst: Decimal


def find_breaches(name: IndicatorName, hours: Iterable[IndicatorHour], threshold: Threshold) -> tuple[Breach, ...]:
    """Return the breaches of a threshold in hours that are in order of time."""
    bad = DEFINITIONS[name].bad
    breaches: list[Breach] = []
    is_open = False
    for hour in hours:
        worst = hour.worst(bad)
        status = threshold.status(worst, bad)
        if status is IndicatorStatus.NORMAL:
            is_open = False
        elif is_open:
            breaches[-1] = _extended(breaches[-1], hour.hour + _HOUR, status, worst, bad)
        else:
            breaches.append(Breach(hour.hour, hour.hour + _HOUR, status, worst))
            is_open = True
    return tuple(breaches)


def _extended(breach: Breach, end: datetime, status: IndicatorStatus, worst: Decimal, bad: Bad) -> Breach:
    worse = min(worst, breach.worst) if bad is Bad.LOW else max(worst, breach.worst)
    return replace(breach, end=end, status=_worse(status, breach.status), worst=worse)


def _worse(one: IndicatorStatus, other: IndicatorStatus) -> IndicatorStatus:
    return max(one, other, key=tuple(IndicatorStatus).index)
