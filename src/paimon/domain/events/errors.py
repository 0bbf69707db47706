"""Errors and conversions that all event rules share."""

from datetime import UTC, datetime


class InapplicableEvent(Exception):
    """An event that cannot follow what was recorded before it; its log is quarantined with this reason."""


def at_chain_time(seconds: int) -> datetime | None:
    """A contract's timestamp; 0 means "not set".

    Raises:
        InapplicableEvent: a number no calendar can hold.
    """
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (OverflowError, ValueError, OSError) as error:
        raise InapplicableEvent(f"{seconds} is no timestamp in seconds") from error
