"""Carry out operator actions, and abort what is past its deadline. An action is a row; the driver carries it out once.

    cancel, expiry   before sending: the intent ends. In flight: the intent is marked as aborting, and replace.py puts a
                     self-send at its nonce; what is mined decides how the intent ends.
    speed up         stays requested until the replacement is stored, in one transaction with it (replace.py).
    retry            queues the next try of the same call under its own key.
    clear fault      takes the signed fault off the wallet's row.

Each action happens under the wallet's lock, in one transaction with the end of the action: a process that dies before the
commit has done nothing. An action that has become impossible ends as OBSOLETE, with the reason. None of it needs a node.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog

from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.driver.intent_status import abort
from paimon.application.transactions.intents import queue_intent
from paimon.application.transactions.retries import manual_retry_key
from paimon.application.transactions.statements import save_intents
from paimon.application.transactions.store import (
    list_expired,
    list_requested_actions,
    lock_wallet,
    read_preconditions,
    reload_intent,
)
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.domain.transaction.operator_action import ActionKind, ActionStatus, rejection_reason
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.transaction import WalletRow
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DriveStart:
    """The wallet at the start of a drive."""

    row: WalletRow
    now: datetime
    is_speed_up_requested: bool


async def apply_actions(context: SendingContext, wallet: Address) -> DriveStart | None:
    """Carry out the requested actions of this wallet, and abort what has expired.

    None: another driver holds the wallet, or nothing was ever queued for it.
    """
    async with context.database.write() as session:
        locked = await lock_wallet(session, wallet)
        if locked is None:
            return None
        row, now = locked
        requested_actions = await list_requested_actions(session, wallet)
        for action in requested_actions:
            await _apply_action(session, row, action, now)
        expired = await list_expired(session, wallet, now)
        aborted = [
            abort(intent, IntentStatus.EXPIRED, f"expired at {intent.expires_at:%Y-%m-%d %H:%M:%S} UTC", now=now)
            for intent in expired
        ]
        await save_intents(session, expired, aborted)
    return DriveStart(row, now, any(action.kind is ActionKind.SPEED_UP for action in requested_actions))


async def _apply_action(session: WriteSession, row: WalletRow, action: OperatorActionRow, now: datetime) -> None:
    if action.intent_id is None:
        _apply_clear_fault(row, action, now)
        return
    intent = await reload_intent(session, action.intent_id)
    if (reason := rejection_reason(action.kind, await read_preconditions(session, intent))) is not None:
        end_action(action, ActionStatus.OBSOLETE, reason, now=now)
    elif action.kind is ActionKind.CANCEL:
        await _apply_cancel(session, intent, action, now)
    elif action.kind is ActionKind.RETRY:
        await _apply_retry(session, intent, action, now)


async def _apply_cancel(session: WriteSession, intent: Intent, action: OperatorActionRow, now: datetime) -> None:
    reason = f"cancelled by {checksum(Address(action.requested_by))}: {action.reason}"
    await save_intents(session, [intent], [abort(intent, IntentStatus.CANCELLED, reason, now=now)])
    in_flight = intent.status is IntentStatus.SENDING
    outcome = "a self-send takes its nonce, unless the call is mined first" if in_flight else "ended before sending"
    end_action(action, ActionStatus.DONE, outcome, now=now)


async def _apply_retry(session: WriteSession, intent: Intent, action: OperatorActionRow, now: datetime) -> None:
    retry = await queue_intent(
        session,
        key=await manual_retry_key(session, intent.kind, intent.subject),
        kind=intent.kind,
        wallet=intent.wallet,
        call=intent.call,
        subject=intent.subject,
        ticket_id=intent.ticket_id,
    )
    end_action(action, ActionStatus.DONE, f"queued as {retry.idempotency_key}", now=now)


def _apply_clear_fault(row: WalletRow, action: OperatorActionRow, now: datetime) -> None:
    if row.fault != action.target:
        end_action(action, ActionStatus.OBSOLETE, f"the wallet's fault is another one by now: {row.fault or 'none'}", now=now)
        return
    row.fault = None
    end_action(action, ActionStatus.DONE, "cleared", now=now)


def end_action(action: OperatorActionRow, status: ActionStatus, outcome: str, *, now: datetime) -> None:
    """End the action, and log it once."""
    action.status, action.outcome, action.ended_at = status, outcome, now
    log.info(
        "operator_action.ended",
        kind=action.kind,
        target=action.target,
        by=checksum(Address(action.requested_by)),
        status=status,
        outcome=outcome,
    )
