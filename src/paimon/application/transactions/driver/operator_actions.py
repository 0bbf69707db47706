"""Carrying out what people asked for, and giving up what is past its deadline. A wish is a row; the driver does it once.

    cancel, expiry   before sending: the intent ends. In flight: it is marked as given up, and replacing (replace.py) puts a
                     self-send at its nonce; what it became is decided by what mined.
    speed up         stays asked until the replacement is stored, in one transaction with it (replace.py).
    retry            the next try of the same call is queued under its own key.
    clear trouble    the words that were signed are taken off the wallet's row.

Each happens under the wallet's lock, in one transaction with the end of the wish: whoever dies before has done nothing. What
no longer makes sense when the driver comes to it ends as moot, with the reason. No node is needed for any of it.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog

from paimon.application.transactions.driver.context import SendingContext
from paimon.application.transactions.driver.intent_status import abort_intent, call_of
from paimon.application.transactions.intents import queue_intent
from paimon.application.transactions.retries import manual_retry_key
from paimon.application.transactions.store import (
    list_expired,
    list_requested_actions,
    lock_wallet,
    read_intent_facts,
    reload_intent,
)
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.domain.transaction.operator_action import ActionKind, ActionStatus, rejection_reason
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow, WalletRow
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DriveStart:
    """The wallet as a drive finds it when it begins; `is_speed_up_requested`: a person wants something sped up."""

    row: WalletRow
    now: datetime
    is_speed_up_requested: bool


async def apply_actions(context: SendingContext, wallet: Address) -> DriveStart | None:
    """Do what was asked of this wallet, and give up what has expired. Does nothing while another driver has the wallet, or
    before anything was queued for it."""
    async with context.database.write() as session:
        locked = await lock_wallet(session, wallet)
        if locked is None:
            return None
        row, now = locked
        requested_actions = await list_requested_actions(session, wallet)
        for action in requested_actions:
            await _apply_action(session, row, action, now)
        for intent in await list_expired(session, wallet, now):
            abort_intent(intent, IntentStatus.EXPIRED, f"expired at {intent.expires_at:%Y-%m-%d %H:%M:%S} UTC", now=now)
    return DriveStart(row, now, any(each.kind is ActionKind.SPEED_UP for each in requested_actions))


async def _apply_action(session: WriteSession, row: WalletRow, action: OperatorActionRow, now: datetime) -> None:
    if action.intent_id is None:
        _apply_clear_fault(row, action, now)
        return
    intent = await reload_intent(session, action.intent_id)
    if (reason := rejection_reason(action.kind, await read_intent_facts(session, intent))) is not None:
        end_action(action, ActionStatus.OBSOLETE, reason, now=now)
    elif action.kind is ActionKind.CANCEL:
        in_flight = intent.status is IntentStatus.SENDING
        abort_intent(
            intent, IntentStatus.CANCELLED, f"cancelled by {checksum(Address(action.requested_by))}: {action.reason}", now=now
        )
        done = "given up: a self-send takes its nonce, unless the call is mined first" if in_flight else "ended before sending"
        end_action(action, ActionStatus.DONE, done, now=now)
    elif action.kind is ActionKind.RETRY:
        await _apply_retry(session, intent, action, now)


async def _apply_retry(session: WriteSession, intent: IntentRow, action: OperatorActionRow, now: datetime) -> None:
    retry = await queue_intent(
        session,
        key=await manual_retry_key(session, intent.kind, intent.request_id),
        kind=intent.kind,
        wallet=Address(intent.wallet),
        call=call_of(intent),
        request_id=intent.request_id,
        ticket_id=intent.ticket_id,
    )
    end_action(action, ActionStatus.DONE, f"queued as {retry.idempotency_key}", now=now)


def _apply_clear_fault(row: WalletRow, action: OperatorActionRow, now: datetime) -> None:
    if row.fault != action.target:
        end_action(action, ActionStatus.OBSOLETE, f"the wallet's trouble is another one by now: {row.fault or 'none'}", now=now)
        return
    row.fault = None
    end_action(action, ActionStatus.DONE, "cleared", now=now)


def end_action(action: OperatorActionRow, status: ActionStatus, outcome: str, *, now: datetime) -> None:
    """The end of a wish, logged once."""
    action.status, action.outcome, action.ended_at = status, outcome, now
    log.info(
        "operator_action.ended",
        kind=action.kind,
        target=action.target,
        by=checksum(Address(action.requested_by)),
        status=status,
        outcome=outcome,
    )
