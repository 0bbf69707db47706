"""The period of a report: a UTC day, a week from Monday, or a month."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, Self

from paimon.errors import InvalidRequest


class ReportKind(StrEnum):
    """Kind of a report, by the length of its period."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


_YEARS: Final = (1970, 9998)


class InvalidDay(InvalidRequest):
    """No report can be of this day."""

    field = "date"


@dataclass(frozen=True, slots=True)
class ReportPeriod:
    """The days of a report, both included, in UTC. `start` belongs to the period and `end` to the next one."""

    kind: ReportKind
    first_day: date
    last_day: date

    @classmethod
    def containing(cls, kind: ReportKind, day: date) -> Self:
        """Return the period of a kind that a day is in.

        Raises:
            InvalidDay: no period of such a year can be made.
        """
        if not _YEARS[0] <= day.year <= _YEARS[1]:
            raise InvalidDay(f"{day} is in no period that a report can have: the year is from {_YEARS[0]} to {_YEARS[1]}")
        match kind:
            case ReportKind.DAILY:
                return cls(kind, day, day)
            case ReportKind.WEEKLY:
                monday = day - timedelta(days=day.weekday())
                return cls(kind, monday, monday + timedelta(days=6))
            case ReportKind.MONTHLY:
                next_month = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
                return cls(kind, day.replace(day=1), next_month - timedelta(days=1))

    @property
    def start(self) -> datetime:
        return datetime.combine(self.first_day, time.min, UTC)

    @property
    def end(self) -> datetime:
        return datetime.combine(self.last_day, time.min, UTC) + timedelta(days=1)

    def __str__(self) -> str:
        days = f"{self.first_day}" if self.first_day == self.last_day else f"{self.first_day} to {self.last_day}"
        return f"{self.kind} report of {days}"


def due_periods(kind: ReportKind, first: date, *, now: datetime, delay: timedelta, days_max: int) -> list[ReportPeriod]:
    """Return the periods of a kind that ended at least `delay` ago, oldest first.

    None is earlier than the one that the fund's first day is in, or ended more than `days_max` days ago.
    """
    found: list[ReportPeriod] = []
    last = (now - delay).date() - timedelta(days=1)
    day = max(first, last - timedelta(days=days_max - 1))
    while (period := ReportPeriod.containing(kind, day)).last_day <= last:
        found.append(period)
        day = period.last_day + timedelta(days=1)
    return found
