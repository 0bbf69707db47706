"""From when on a time series is kept."""

from datetime import UTC, datetime, time, timedelta


def retention_start(now: datetime, *, days: int) -> datetime:
    """The beginning of the UTC day this many days before today's: a day is kept whole or not at all."""
    return datetime.combine(now.astimezone(UTC).date() - timedelta(days=days), time.min, UTC)
