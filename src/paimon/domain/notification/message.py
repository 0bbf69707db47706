"""A message to one channel, its life, and what became of an attempt to send it.

QUEUED ──claimed──► SENDING ──accepted──► SENT
   ▲                   │ ├──refused for good, or too old──► FAILED ──► the channel's fallback gets a copy
   └──to be tried again┘ └──its worker ended──► claimed again later, with the same id
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from paimon.domain.risk.risk_event import RiskEvent, Severity


class MessageLanguage(StrEnum):
    """MessageLanguage of a message."""

    ENGLISH = "en"
    CHINESE = "zh-CN"


class Occasion(StrEnum):
    """Why a message is sent."""

    OPENED = "OPENED"  # a risk event was opened, or became more severe
    REMINDER = "REMINDER"  # it was not acknowledged in time
    ENDED = "ENDED"  # every event of an earlier message is resolved
    TEST = "TEST"  # a person tries the channel


class MessageStatus(StrEnum):
    QUEUED = "QUEUED"
    SENDING = "SENDING"
    SENT = "SENT"
    FAILED = "FAILED"


class Outcome(StrEnum):
    """What became of one attempt to send a message."""

    ACCEPTED = "ACCEPTED"
    RETRY = "RETRY"  # the channel does not answer, or asks for a pause
    REFUSED = "REFUSED"  # the channel will never take this message


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of one attempt: the channel's own id of the message, or the reason why it did not take it."""

    outcome: Outcome
    receipt: str | None = None
    reason: str | None = None
    pause: timedelta | None = None
    """The pause that the channel asks for."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message as a channel gets it."""

    id: int
    key: str
    """The same in every attempt, so that a receiver that keeps it counts a repeated message once."""
    channel: str
    occasion: Occasion
    severity: Severity
    title: str
    body: str
    dedup_key: str
    """Names the alarm; its end has the same."""
    link: str | None = None
    is_repeated: bool = False
    """Whether an earlier attempt ended with its worker, so that the channel may have the message already."""

    @property
    def text(self) -> str:
        lines = [self.body, *([self.link] if self.link else [])]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Notice:
    """One event that a channel is to be told of."""

    event: RiskEvent
    occasion: Occasion
    step: str
    """The occasion within the event: the severity, or the escalation's time."""


FIRST_PAUSE: Final = timedelta(seconds=5)
PAUSE_MAX: Final = timedelta(hours=1)
FAILED_AFTER: Final = timedelta(hours=24)
"""A message that no attempt delivered in this time has failed."""


def next_pause(attempts: int, asked: timedelta | None = None) -> timedelta:
    """Return the pause after the n-th attempt: it triples from 5 s to an hour, and is no shorter than the channel asks."""
    own = min(FIRST_PAUSE * int(3 ** min(max(attempts - 1, 0), 8)), PAUSE_MAX)
    return max(own, min(asked or own, PAUSE_MAX))


def is_too_old(created_at: datetime, now: datetime) -> bool:
    return now - created_at >= FAILED_AFTER


def alarm_key(notices: Sequence[Notice], *, message_key: str) -> str:
    """Name the alarm. One event has the same name on every channel; its severity is part of it.

    A service that keeps incidents by this name would otherwise add a more severe alarm to one that was acknowledged.
    """
    if len(notices) != 1:
        return message_key
    event = notices[0].event
    return f"risk-event-{event.id}-{event.finding.severity.lower()}"
