"""Periods of reports: which days each covers, and when it is due."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.report.period import InvalidDay, ReportKind, ReportPeriod, due_periods

DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
HALF_AN_HOUR = timedelta(minutes=30)


@given(DAYS, st.sampled_from(ReportKind))
def test_periods_of_a_kind_cover_every_day_once(day: date, kind: ReportKind) -> None:
    period = ReportPeriod.containing(kind, day)
    assert period.first_day <= day <= period.last_day
    assert ReportPeriod.containing(kind, period.first_day) == ReportPeriod.containing(kind, period.last_day) == period
    following = ReportPeriod.containing(kind, period.last_day + timedelta(days=1))
    assert (following.start, following.first_day) == (period.end, period.last_day + timedelta(days=1))


def test_weeks_begin_on_monday_and_months_on_their_first() -> None:
    assert str(ReportPeriod.containing(ReportKind.WEEKLY, date(2026, 11, 29))) == "weekly report of 2026-11-23 to 2026-11-29"
    assert str(ReportPeriod.containing(ReportKind.MONTHLY, date(2028, 2, 29))) == "monthly report of 2028-02-01 to 2028-02-29"
    assert str(ReportPeriod.containing(ReportKind.DAILY, date(2026, 12, 31))) == "daily report of 2026-12-31"


def test_a_report_is_due_after_its_delay_and_not_before_the_fund() -> None:
    first = date(2026, 11, 27)

    def due(kind: ReportKind, now: datetime, days_max: int = 35) -> list[str]:
        found = due_periods(kind, first, now=now, delay=HALF_AN_HOUR, days_max=days_max)
        return [f"{period.first_day:%m-%d}" for period in found]

    monday = datetime(2026, 11, 30, 0, 30, tzinfo=UTC)
    assert due(ReportKind.DAILY, monday) == ["11-27", "11-28", "11-29"]
    assert due(ReportKind.DAILY, monday - timedelta(seconds=1)) == ["11-27", "11-28"]
    assert due(ReportKind.WEEKLY, monday) == ["11-23"]
    assert due(ReportKind.WEEKLY, monday - timedelta(seconds=1)) == []
    assert due(ReportKind.MONTHLY, monday) == []
    assert due(ReportKind.MONTHLY, monday + timedelta(days=1)) == ["11-01"]
    assert due(ReportKind.DAILY, monday, days_max=2) == ["11-28", "11-29"]
    assert due(ReportKind.DAILY, datetime(2026, 11, 27, 12, tzinfo=UTC)) == []


@pytest.mark.parametrize("kind", ReportKind)
@pytest.mark.parametrize("day", [date.max, date(9999, 1, 1), date.min, date(1969, 12, 31)])
def test_a_year_without_reports_is_refused_by_name(kind: ReportKind, day: date) -> None:
    with pytest.raises(InvalidDay, match="from 1970 to 9998"):
        ReportPeriod.containing(kind, day)
    assert InvalidDay.field == "date"
    for known in (date(9998, 12, 31), date(1970, 1, 1)):
        assert ReportPeriod.containing(kind, known).end.year <= 9999
