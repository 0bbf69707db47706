"""Settling what is due. Due is judged by chain time: the timestamp of the last recorded final block.

A settlement is one intent per request; should it end without effect, the next sweep tries again (transactions/tries.py).
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
from paimon.domain.transaction.lifecycle import IntentKind
from paimon.errors import Conflict
from paimon.infrastructure.blockchain.contracts.fund import CallReverted, FundContracts
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.sessions import Database, WriteSession

log = structlog.get_logger(__name__)


class NotSettleable(Conflict):
    """The request's state allows no settlement."""


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
) -> IntentRow:
    """The intent that settles this request: the open one, or a new one.

    Raises:
        NotSettleable, NotDue, RetriesExhausted.
    """
    if redemption.status not in SETTLEABLE_STATUSES:
        raise NotSettleable(f"request {redemption.request_id} is {redemption.status}; only PENDING or APPROVED ones settle")
    if not is_due(redemption, chain_time=chain_time, window_date=window_date):
        due_at = window_date if redemption.channel is RedemptionChannel.SCHEDULED else redemption.settlement_at
        due = f"settles from {due_at:%Y-%m-%d %H:%M:%S} UTC on" if due_at else "has no settlement date yet"
        raise NotDue(f"request {redemption.request_id} {due}; the chain's time is {chain_time:%Y-%m-%d %H:%M:%S} UTC")
    return await queue_intent(
        session,
        key=await next_retry_key(session, IntentKind.SETTLE_REDEMPTION, redemption.request_id),
        kind=IntentKind.SETTLE_REDEMPTION,
        wallet=keeper,
        call=settle_call(contracts, redemption.request_id, redemption.channel),
        request_id=redemption.request_id,
    )


async def window_date(contracts: FundContracts, redemption: Redemption, *, at: BlockStamp) -> datetime | None:
    """When a scheduled request's window settles, as the scheduler gives it at this block; None for other channels.

    None too for a window that the scheduler does not know or gives no calendar date: such a request is not due, and may not
    keep the others from being settled.
    """
    if redemption.channel is not RedemptionChannel.SCHEDULED:
        return None
    try:
        return at_chain_time(await contracts.window_settlement_time(redemption.window_id, at=at))
    except (CallReverted, InapplicableEvent) as error:
        fields = {"request_id": redemption.request_id, "window_id": redemption.window_id}
        log.error("settlement.window_unreadable", reason=str(error), **fields)
        return None


async def settle_due(database: Database, contracts: FundContracts, *, keeper: Address) -> list[int]:
    """Queue a settlement for every request that is due; the ids for which one is now under way."""
    async with database.read() as session:
        here = await chain_position(session)
        candidates = await list_by_status(session, *SETTLEABLE_STATUSES) if here else []
    if here is None:
        return []
    queued: list[int] = []
    for redemption in candidates:
        date = await window_date(contracts, redemption, at=here)
        if not is_due(redemption, chain_time=here.timestamp, window_date=date):
            continue
        try:
            async with database.write() as session:
                await request_settlement(
                    session, redemption, chain_time=here.timestamp, window_date=date, contracts=contracts, keeper=keeper
                )
        except RetriesExhausted as error:
            log.error("settlement.exhausted", redemption_id=redemption.request_id, reason=str(error))
            continue
        queued.append(redemption.request_id)
    return queued
