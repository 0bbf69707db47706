"""Start of a series' retention: whole UTC days in any time zone of the clock."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.operations.retention import retention_start

pytestmark = pytest.mark.unit

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS, st.integers(1, 5_000), st.integers(-14, 14))
def test_retention_starts_at_a_utc_midnight(now: datetime, days: int, hours: int) -> None:
    begins = retention_start(now.astimezone(timezone(timedelta(hours=hours))), days=days)
    assert (begins.hour, begins.minute, begins.second, begins.microsecond, begins.tzinfo) == (0, 0, 0, 0, UTC)
    assert timedelta(days=days) <= now - begins < timedelta(days=days + 1)
