"""Outbox messages: their priority, and their status derived from their times.

DUE         a worker takes it as soon as one is free
SCHEDULED   not to be handled before `available_at`: it is new and delayed, or a failed attempt is retried later
DONE        handled; final
DEAD_LETTERED   every attempt failed; an operator can replay it
"""

from datetime import datetime
from enum import StrEnum


class OutboxPriority(StrEnum):
    """Priority of an outbox message. Each value is also the name of the Celery queue that serves it."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    CHAIN = "chain"
    REPORTS = "reports"


class OutboxStatus(StrEnum):
    """Status of an outbox message."""

    DUE = "DUE"
    SCHEDULED = "SCHEDULED"
    DEAD_LETTERED = "DEAD_LETTERED"
    DONE = "DONE"


def outbox_status(
    *, available_at: datetime, done_at: datetime | None, dead_lettered_at: datetime | None, now: datetime
) -> OutboxStatus:
    """Return the status of a message with these times at `now`."""
    if done_at is not None:
        return OutboxStatus.DONE
    if dead_lettered_at is not None:
        return OutboxStatus.DEAD_LETTERED
    return OutboxStatus.DUE if available_at <= now else OutboxStatus.SCHEDULED
