"""Change an intent and log the change. Each function returns the next value; the caller saves it."""

from datetime import datetime, timedelta
from typing import Final, TypeVar

import structlog

from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.infrastructure.text import strip_nul

log = structlog.get_logger(__name__)

_FAILURES: Final = frozenset({IntentStatus.FAILED, IntentStatus.REVERTED})

AnyIntent = TypeVar("AnyIntent", bound=Intent)


def block(intent: AnyIntent, reason: str) -> AnyIntent:
    """Show why nothing moves."""
    return _logged(intent, intent.blocked(strip_nul(reason)))


def hold_simulated(intent: AnyIntent, reason: str) -> AnyIntent:
    """Keep an intent that passed every check, because the signer does not answer."""
    return _logged(intent, intent.simulated(strip_nul(reason)))


def mark_state_unknown(intent: AnyIntent, reason: str, *, now: datetime, wait_seconds: int) -> AnyIntent:
    """Wait until the next check, because the node answers but does not tell the intent's state. Nothing waits behind it."""
    next_check_at = now + timedelta(seconds=wait_seconds)
    return _logged(intent, intent.state_unknown(strip_nul(reason), now=now, next_check_at=next_check_at))


def requeue(intent: AnyIntent, reason: str, *, now: datetime, wait_seconds: int) -> AnyIntent:
    """Put the intent back in the queue, or keep it there, until the next check."""
    return _logged(intent, intent.requeued(strip_nul(reason), next_check_at=now + timedelta(seconds=wait_seconds)))


def requeue_state_unknown(intent: AnyIntent, reason: str, *, now: datetime, wait_seconds: int) -> AnyIntent:
    """Requeue the intent, because the node does not tell whether its effect is still due."""
    text = strip_nul(f"the node does not tell whether it is still due: {reason}")
    next_check_at, since = now + timedelta(seconds=wait_seconds), intent.unknown_since or now
    return _logged(intent, intent.requeued(text, next_check_at=next_check_at, unknown_since=since))


def abort(intent: AnyIntent, end_status: IntentStatus, reason: str, *, now: datetime) -> AnyIntent:
    """End the intent without its effect. In flight, its nonce must be used up first, by the call or by a self-send."""
    aborting = intent.aborting(end_status, strip_nul(reason))
    if intent.status is IntentStatus.SENDING:
        return _logged(intent, aborting)
    return close(aborting, end_status, reason, now=now)


def close(intent: AnyIntent, status: IntentStatus, reason: str | None, *, now: datetime) -> AnyIntent:
    """End the intent. `reason` is None when there is nothing to explain."""
    closed = intent.closed(status, None if reason is None else strip_nul(reason), at=now)
    write = log.error if status in _FAILURES else log.info
    write("intent.closed", intent_id=str(intent.id), key=intent.idempotency_key, status=status, reason=closed.reason)
    return closed


def _logged(before: AnyIntent, after: AnyIntent) -> AnyIntent:
    """Log a reason that is new, once."""
    if after.reason != before.reason:
        log.warning("intent.blocked", intent_id=str(after.id), key=after.idempotency_key, reason=after.reason)
    return after
