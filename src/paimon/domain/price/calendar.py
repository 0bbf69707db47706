"""When an asset's price is expected: on business days, or at a heartbeat. Staleness counts missed publications, not hours.

A price is dated by its valuation. It may be published days later, so a calendar has a lag. Nothing is missed on a weekend or
on a holiday, however long it is.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

MISSED_MAX: Final = 1_000
"""Counting stops here: a price this old is as untrusted as an older one."""

_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class BusinessDays:
    """One valuation each business day, known at the cut-off (UTC) of the day `lag_days` business days later, plus a grace."""

    cut_off: time = time(18)
    grace: timedelta = timedelta(hours=6)
    lag_days: int = 0
    holidays: frozenset[date] = frozenset()

    def missed(self, valued_at: datetime, now: datetime) -> int:
        """Count the business days after the valuation whose own valuation should be known by now."""
        count, day, last = 0, valued_at.astimezone(UTC).date() + _DAY, now.astimezone(UTC).date()
        while day <= last and count < MISSED_MAX:
            if self._is_business_day(day):
                if self._deadline(day) > now:
                    break
                count += 1
            day += _DAY
        return count

    def is_later_publication(self, valued_at: datetime, *, than: datetime) -> bool:
        """Report whether a valuation is of a later day than another."""
        return valued_at.astimezone(UTC).date() > than.astimezone(UTC).date()

    def _deadline(self, valuation: date) -> datetime:
        day = valuation
        for _ in range(self.lag_days):
            day += _DAY
            while not self._is_business_day(day):
                day += _DAY
        return datetime.combine(day, self.cut_off, UTC) + self.grace

    def _is_business_day(self, day: date) -> bool:
        return day.weekday() < _SATURDAY and day not in self.holidays

    def __str__(self) -> str:
        lag = f" {self.lag_days} business days later" if self.lag_days else ""
        return f"each business day, by {self.cut_off:%H:%M} UTC{lag} and {_hours(self.grace)} h of grace"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A valuation at least each `every`, weekends included; the grace is granted once."""

    every: timedelta
    grace: timedelta = timedelta(0)

    def missed(self, valued_at: datetime, now: datetime) -> int:
        """Count the whole heartbeats since the valuation, less the grace."""
        late = now - valued_at - self.grace
        return min(max(late // self.every, 0), MISSED_MAX)

    def is_later_publication(self, valued_at: datetime, *, than: datetime) -> bool:
        """Report whether a valuation is at least one heartbeat later than another."""
        return valued_at - than >= self.every

    def __str__(self) -> str:
        return f"each {_hours(self.every)} h and {_hours(self.grace)} h of grace"


Calendar = BusinessDays | Heartbeat


def _hours(duration: timedelta) -> str:
    return f"{duration.total_seconds() / 3_600:g}"
