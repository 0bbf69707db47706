"""Settle redemptions that are due. Chain time decides: the timestamp of the last recorded final block.

A settlement is one intent per request. When it ends without effect, the next sweep retries it (transactions/retries.py).
"""

from datetime import datetime

import structlog

from paimon.application.common.chain_position import chain_position
from paimon.application.redemptions.store import list_by_status
from paimon.application.transactions.intents import queue_intent, settle_call
from paimon.application.transactions.retries import RetriesExhausted, next_retry_key
from paimon.domain.events.errors import InapplicableEvent, at_chain_time
from paimon.domain.kernel.chain import Address, BlockStamp
from paimon.domain.redemption.request import SETTLEABLE_STATUSES, Redemption, RedemptionChannel, is_due
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import IntentKind
from paimon.errors import Conflict
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.infrastructure.database.sessions import Database, WriteSession

log = structlog.get_logger(__name__)


class NotSettleable(Conflict):
    """The request's status allows no settlement."""


class NotDue(Conflict):
    """The request's settlement date has not come."""


async def request_settlement(
    session: WriteSession,
    redemption: Redemption,
    *,
    chain_time: datetime,
    window_date: datetime | None,
    contracts: FundContracts,
    keeper: Address,
) -> Intent:
    """Return the intent that settles this request: the open one, or a new one.

    Raises:
        NotSettleable, NotDue, RetriesExhausted.
    """
    if redemption.status not in SETTLEABLE_STATUSES:
        raise NotSettleable(f"request {redemption.request_id} is {redemption.status}; only PENDING or APPROVED ones settle")
    if not is_due(redemption, chain_time=chain_time, window_date=window_date):
        due_at = window_date if redemption.channel is RedemptionChannel.SCHEDULED else redemption.settlement_at
        due = f"settles from {due_at:%Y-%m-%d %H:%M:%S} UTC on" if due_at else "has no settlement date yet"
        raise NotDue(f"request {redemption.request_id} {due}; the chain's time is {chain_time:%Y-%m-%d %H:%M:%S} UTC")
    subject = IntentSubject.redemption(redemption.request_id)
    return await queue_intent(
        session,
        key=await next_retry_key(session, IntentKind.SETTLE_REDEMPTION, subject),
        kind=IntentKind.SETTLE_REDEMPTION,
        wallet=keeper,
        call=settle_call(contracts, redemption.request_id, redemption.channel),
        subject=subject,
    )


async def window_date(contracts: FundContracts, redemption: Redemption, *, at: BlockStamp) -> datetime | None:
    """Return when a scheduled request's window settles, as the contract states it at this block; None for other channels.

    A window that the contract does not know, or dates outside the calendar, also gives None: such a request is not due, and
    it must not keep the others from being settled.
    """
    if redemption.channel is not RedemptionChannel.SCHEDULED:
        return None
    try:
        return at_chain_time(await contracts.window_settlement_time(redemption.window_id, at=at))
    except (CallReverted, InapplicableEvent) as error:
        log.error(
            "settlement.window_unreadable",
            request_id=redemption.request_id,
            window_id=redemption.window_id,
            reason=str(error),
        )
        return None


async def settle_due(database: Database, contracts: FundContracts, *, keeper: Address) -> list[int]:
    """Queue a settlement for every request that is due; return the ids of the requests with an open settlement."""
    async with database.read() as session:
        position = await chain_position(session)
        candidates = await list_by_status(session, *SETTLEABLE_STATUSES) if position else []
    if position is None:
        return []
    queued: list[int] = []
    for redemption in candidates:
        date = await window_date(contracts, redemption, at=position)
        if not is_due(redemption, chain_time=position.timestamp, window_date=date):
            continue
        try:
            async with database.write() as session:
                await request_settlement(
                    session, redemption, chain_time=position.timestamp, window_date=date, contracts=contracts, keeper=keeper
                )
        except RetriesExhausted as error:
            log.error("settlement.exhausted", redemption_id=redemption.request_id, reason=str(error))
            continue
        queued.append(redemption.request_id)
    return queued
