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

from paimon.application.transactions.driver.context import Desk
from paimon.application.transactions.driver.intent_status import call_of, give_up
from paimon.application.transactions.intents import queue_intent
from paimon.application.transactions.retries import key_of_try_by_hand
from paimon.application.transactions.store import (
    get_intent_of,
    list_asked,
    list_expired,
    lock_wallet,
    standing_of,
)
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.domain.transaction.operator_action import DeedKind, DeedState, why_not
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow, WalletRow
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Attended:
    """The wallet as a drive finds it when it begins; `is_hurried`: a person wants something sped up."""

    row: WalletRow
    now: datetime
    is_hurried: bool


async def carry_out_deeds(desk: Desk, wallet: Address) -> Attended | None:
    """Do what was asked of this wallet, and give up what has expired. Does nothing while another driver has the wallet, or
    before anything was queued for it."""
    async with desk.database.write() as session:
        held = await lock_wallet(session, wallet)
        if held is None:
            return None
        row, now = held
        asked = await list_asked(session, wallet)
        for deed in asked:
            await _carry_out(session, row, deed, now)
        for intent in await list_expired(session, wallet, now):
            give_up(intent, IntentStatus.EXPIRED, f"expired at {intent.expires_at:%Y-%m-%d %H:%M:%S} UTC", now=now)
    return Attended(row, now, any(each.kind is DeedKind.SPEED_UP for each in asked))


async def _carry_out(session: WriteSession, row: WalletRow, deed: OperatorActionRow, now: datetime) -> None:
    if deed.intent_id is None:
        _clear_trouble(row, deed, now)
        return
    intent = await get_intent_of(session, deed.intent_id)
    if (reason := why_not(deed.kind, await standing_of(session, intent))) is not None:
        end_deed(deed, DeedState.MOOT, reason, now=now)
    elif deed.kind is DeedKind.CANCEL:
        in_flight = intent.status is IntentStatus.SENDING
        give_up(intent, IntentStatus.CANCELLED, f"cancelled by {checksum(Address(deed.asked_by))}: {deed.reason}", now=now)
        done = "given up: a self-send takes its nonce, unless the call is mined first" if in_flight else "ended before sending"
        end_deed(deed, DeedState.DONE, done, now=now)
    elif deed.kind is DeedKind.RETRY:
        await _retry(session, intent, deed, now)


async def _retry(session: WriteSession, intent: IntentRow, deed: OperatorActionRow, now: datetime) -> None:
    again = await queue_intent(
        session,
        key=await key_of_try_by_hand(session, intent.kind, intent.request_id),
        kind=intent.kind,
        wallet=Address(intent.wallet),
        call=call_of(intent),
        request_id=intent.request_id,
        ticket_id=intent.ticket_id,
    )
    end_deed(deed, DeedState.DONE, f"queued as {again.idempotency_key}", now=now)


def _clear_trouble(row: WalletRow, deed: OperatorActionRow, now: datetime) -> None:
    if row.trouble != deed.about:
        end_deed(deed, DeedState.MOOT, f"the wallet's trouble is another one by now: {row.trouble or 'none'}", now=now)
        return
    row.trouble = None
    end_deed(deed, DeedState.DONE, "cleared", now=now)


def end_deed(deed: OperatorActionRow, state: DeedState, outcome: str, *, now: datetime) -> None:
    """The end of a wish, logged once."""
    deed.state, deed.outcome, deed.ended_at = state, outcome, now
    log.info("deed.ended", kind=deed.kind, about=deed.about, by=checksum(Address(deed.asked_by)), state=state, outcome=outcome)
