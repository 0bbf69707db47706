"""Start of the retention period of a time series."""

from datetime import UTC, datetime, time, timedelta


def retention_start(now: datetime, *, days: int) -> datetime:
    """Return the start of the UTC day `days` days before today's: a day is kept whole or not at all."""
    return datetime.combine(now.astimezone(UTC).date() - timedelta(days=days), time.min, UTC)
