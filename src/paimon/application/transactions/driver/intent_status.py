"""How an intent changes: it waits with a reason, goes back to the queue, or ends. One place, so that each is logged once."""

from datetime import datetime, timedelta
from typing import Final

import structlog

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import Call, IntentStatus, advance_intent
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.text import strip_nul

log = structlog.get_logger(__name__)

_FAILURES: Final = frozenset({IntentStatus.FAILED, IntentStatus.REVERTED})
_UNKNOWN_PREFIX: Final = "the node does not tell how it stands: "


def call_of(intent: IntentRow) -> Call:
    return Call(Address(intent.to_address), intent.data, RawAmount(intent.value_wei))


def tell(intent: IntentRow, reason: str) -> None:
    """Show why nothing moves; the log hears of it only when the reason is a new one."""
    reason = strip_nul(reason)
    if intent.reason != reason:
        intent.reason = reason
        log.warning("intent.blocked", intent_id=str(intent.id), key=intent.idempotency_key, reason=reason)


def mark_status_unknown(intent: IntentRow, reason: str, *, now: datetime, wait_seconds: int) -> None:
    """The node answers, and does not tell how this one stands: asked again at its next check, and none other waits for it."""
    intent.next_check_at = now + timedelta(seconds=wait_seconds)
    intent.unknown_since = intent.unknown_since or now
    tell(intent, f"{_UNKNOWN_PREFIX}{reason}")


def mark_status_known(intent: IntentRow) -> None:
    """The node told after all."""
    intent.unknown_since = None
    if intent.reason is not None and intent.reason.startswith(_UNKNOWN_PREFIX):
        intent.reason = intent.abort_reason


def requeue(intent: IntentRow, reason: str, *, now: datetime, wait_seconds: int) -> None:
    """Back in the queue, or still there, until the next check."""
    intent.status = advance_intent(intent.status, IntentStatus.QUEUED)
    intent.next_check_at = now + timedelta(seconds=wait_seconds)
    intent.unknown_since = None
    tell(intent, reason)


def requeue_status_unknown(intent: IntentRow, reason: str, *, now: datetime, wait_seconds: int) -> None:
    """The same, because the node does not tell whether it is to be sent."""
    since = intent.unknown_since or now
    requeue(intent, f"the node does not tell whether it is still due: {reason}", now=now, wait_seconds=wait_seconds)
    intent.unknown_since = since


def abort_intent(intent: IntentRow, end_status: IntentStatus, reason: str, *, now: datetime) -> None:
    """It shall not happen any more. In flight it cannot simply end: its nonce must be used up first, by whatever is mined."""
    intent.aborting_as, intent.abort_reason = end_status, reason
    if intent.status is IntentStatus.SENDING:
        tell(intent, reason)
    else:
        close(intent, end_status, reason, now=now)


def close(intent: IntentRow, status: IntentStatus, reason: str | None, *, now: datetime) -> None:
    """The end of an intent. `reason` is None when there is nothing to explain."""
    intent.status = advance_intent(intent.status, status)
    intent.reason = reason
    intent.unfunded, intent.unknown_since = False, None
    intent.closed_at = now
    write = log.error if status in _FAILURES else log.info
    write("intent.closed", intent_id=str(intent.id), key=intent.idempotency_key, status=status, reason=reason)
