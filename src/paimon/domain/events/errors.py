"""The error and the conversion that all event rules share."""

from datetime import UTC, datetime


class InapplicableEvent(Exception):
    """The event cannot follow the recorded state; its log is quarantined with this reason."""


def at_chain_time(seconds: int) -> datetime | None:
    """Convert a contract's timestamp; 0 means "not set" and gives None.

    Raises:
        InapplicableEvent: no calendar can hold the number.
    """
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (OverflowError, ValueError, OSError) as error:
        raise InapplicableEvent(f"{seconds} is no timestamp in seconds") from error
