"""Missed publications: on business days, over long weekends and holidays, at heartbeats."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.price.calendar import MISSED_MAX, BusinessDays, Calendar, Heartbeat

pytestmark = pytest.mark.unit

DAILY: Final = BusinessDays(time(18), grace=timedelta(hours=6))
EASTER: Final = BusinessDays(time(18), timedelta(hours=6), holidays=frozenset({date(2026, 4, 3), date(2026, 4, 6)}))
TIMES: Final = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
CALENDARS: Final[tuple[Calendar, ...]] = (DAILY, EASTER, BusinessDays(lag_days=2), Heartbeat(timedelta(minutes=5)))


def at(day: int, hour: int, minute: int = 0, *, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("valued", "now", "missed"),
    [
        (at(4, 17), at(5, 23, 59), 0),  # Wednesday's price: Thursday's is due at midnight
        (at(4, 17), at(6, 0), 1),
        (at(4, 17), at(7, 0), 2),
        (at(6, 17), at(9, 23, 59), 0),  # Friday's price over a weekend, until Monday's is due
        (at(6, 17), at(10, 0), 1),
        (at(7, 9), at(9, 23, 59), 0),  # a price of Saturday is as good as Friday's
        (at(4, 0), at(4, 23), 0),
    ],
)
def test_business_days_count_only_their_own_publications(valued: datetime, now: datetime, missed: int) -> None:
    assert DAILY.missed(valued, now) == missed


def test_long_weekend_misses_nothing_and_the_day_after_it_counts() -> None:
    thursday = at(2, 17, month=4)
    assert EASTER.missed(thursday, at(7, 23, 59, month=4)) == 0  # five days later
    assert EASTER.missed(thursday, at(8, 0, month=4)) == 1
    assert DAILY.missed(thursday, at(7, 23, 59, month=4)) == 2  # without its holidays


def test_lag_moves_the_deadline_by_business_days() -> None:
    late = BusinessDays(time(18), timedelta(0), lag_days=2)
    assert late.missed(at(4, 17), at(9, 17, 59)) == 0  # Thursday's price is known on Monday
    assert late.missed(at(4, 17), at(9, 18)) == 1


def test_heartbeat_counts_on_weekends_too() -> None:
    hourly = Heartbeat(timedelta(hours=1), grace=timedelta(minutes=5))
    saturday = at(7, 12)
    counts = [hourly.missed(saturday, saturday + timedelta(minutes=minutes)) for minutes in (0, 64, 65, 124, 125)]
    assert counts == [0, 0, 1, 1, 2]


@given(TIMES, st.timedeltas(timedelta(0), timedelta(days=4_000)), st.timedeltas(timedelta(0), timedelta(days=30)))
def test_older_prices_never_miss_less(valued: datetime, age: timedelta, more: timedelta) -> None:
    for calendar in CALENDARS:
        now = valued + age
        assert 0 <= calendar.missed(valued, now) <= calendar.missed(valued, now + more) <= MISSED_MAX


@given(TIMES, st.timedeltas(timedelta(0), timedelta(days=400)))
def test_price_from_the_future_misses_nothing(now: datetime, ahead: timedelta) -> None:
    assert all(calendar.missed(now + ahead, now) == 0 for calendar in CALENDARS)
