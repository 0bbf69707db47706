"""Settle redemptions that are due. Chain time decides: the timestamp of the last recorded final block.

A settlement is one intent per request. When it ends without effect, the next sweep retries it (transactions/retries.py). Dust
waits for cheap gas and comes in batches, behind the others (domain/redemption/dust.py).
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from paimon.application.common.chain_position import chain_position
from paimon.application.nav.store import find_asset_decimals
from paimon.application.redemptions.store import list_by_status
from paimon.application.transactions.intents import queue_intent, settle_call
from paimon.application.transactions.retries import FAILED_INTENTS_MAX, RetriesExhausted, next_retry_key
from paimon.application.transactions.store import read_settlements
from paimon.domain.events.errors import InapplicableEvent, at_chain_time
from paimon.domain.kernel.chain import Address, BlockStamp
from paimon.domain.redemption.dust import DueDust, DustPolicy, OpenDust, must_start, next_batch
from paimon.domain.redemption.request import SETTLEABLE_STATUSES, Redemption, RedemptionChannel, is_due
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import IntentKind
from paimon.errors import Conflict
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.settings import RedemptionSettings

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
    require_due(redemption, chain_time=chain_time, window_date=window_date)
    subject = IntentSubject.redemption(redemption.request_id)
    return await queue_intent(
        session,
        key=await next_retry_key(session, IntentKind.SETTLE_REDEMPTION, subject),
        kind=IntentKind.SETTLE_REDEMPTION,
        wallet=keeper,
        call=settle_call(contracts, redemption.request_id, redemption.channel),
        subject=subject,
    )


def require_due(redemption: Redemption, *, chain_time: datetime, window_date: datetime | None) -> None:
    """Check that the request may be settled at this time of the chain.

    Raises:
        NotSettleable, NotDue.
    """
    if redemption.status not in SETTLEABLE_STATUSES:
        raise NotSettleable(f"request {redemption.request_id} is {redemption.status}; only PENDING or APPROVED ones settle")
    if not is_due(redemption, chain_time=chain_time, window_date=window_date):
        due_at = window_date if redemption.channel is RedemptionChannel.SCHEDULED else redemption.settlement_at
        due = f"settles from {due_at:%Y-%m-%d %H:%M:%S} UTC on" if due_at else "has no settlement date yet"
        raise NotDue(f"request {redemption.request_id} {due}; the chain's time is {chain_time:%Y-%m-%d %H:%M:%S} UTC")


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


@dataclass(frozen=True, slots=True)
class _Due:
    """A request that is due, and its window's date if it has one."""

    redemption: Redemption
    window_date: datetime | None

    def is_dust(self, policy: DustPolicy) -> bool:
        return self.redemption.gross_amount < policy.amount

    def as_dust(self, *, now: datetime) -> DueDust:
        due_at = self.window_date or self.redemption.settlement_at or now
        return DueDust(self.redemption.request_id, due_at, waits=self.redemption.channel is not RedemptionChannel.EMERGENCY)


async def settle_due(
    database: Database, contracts: FundContracts, *, keeper: Address, options: RedemptionSettings
) -> list[int]:
    """Queue a settlement for every request that is due, and of dust for the next batch.

    Return the ids of the requests whose settlement is open, without the dust of earlier batches.
    """
    async with database.read() as session:
        position = await chain_position(session)
        candidates = await list_by_status(session, *SETTLEABLE_STATUSES) if position else []
        policy = options.dust_policy(await find_asset_decimals(session))
    if position is None:
        return []
    due = [each async for each in _due(contracts, candidates, at=position)]
    dust = {each.redemption.request_id: each for each in due if each.is_dust(policy)}
    others = [each for each in due if each.redemption.request_id not in dust]
    queued = await _queue(database, contracts, others, at=position, keeper=keeper)
    batch = await _next_dust(database, contracts, dust, policy, at=position) if dust else []
    return queued + await _queue(database, contracts, batch, at=position, keeper=keeper)


async def _due(contracts: FundContracts, candidates: Iterable[Redemption], *, at: BlockStamp) -> AsyncIterator[_Due]:
    for redemption in candidates:
        date = await window_date(contracts, redemption, at=at)
        if is_due(redemption, chain_time=at.timestamp, window_date=date):
            yield _Due(redemption, date)


async def _queue(
    database: Database, contracts: FundContracts, due: Sequence[_Due], *, at: BlockStamp, keeper: Address
) -> list[int]:
    """Queue settlements, each in a transaction of its own, and return the requests whose retries are not exhausted."""
    queued: list[int] = []
    for each in due:
        request_id = each.redemption.request_id
        try:
            async with database.write() as session:
                await request_settlement(
                    session,
                    each.redemption,
                    chain_time=at.timestamp,
                    window_date=each.window_date,
                    contracts=contracts,
                    keeper=keeper,
                )
        except RetriesExhausted as error:
            log.error("settlement.exhausted", redemption_id=request_id, reason=str(error))
            continue
        queued.append(request_id)
    return queued


async def _next_dust(
    database: Database, contracts: FundContracts, dust: Mapping[int, _Due], policy: DustPolicy, *, at: BlockStamp
) -> list[_Due]:
    """Return the dust whose turn it is: none while gas is dear and no deadline is near."""
    async with database.read() as session:
        known = await read_settlements(session, list(dust), failed_max=FAILED_INTENTS_MAX)
    held_back = known.open | known.exhausted
    waiting = [each.as_dust(now=at.timestamp) for request_id, each in dust.items() if request_id not in held_back]
    if not waiting:
        return []
    if not must_start(waiting, policy, now=at.timestamp) and not await _is_gas_cheap(contracts, policy):
        log.debug("settlement.dust_waits", requests=len(waiting))
        return []
    already = OpenDust(moving=len(known.open - known.blocked), blocked=len(known.blocked))
    return [dust[each.request_id] for each in next_batch(waiting, already, policy)]


async def _is_gas_cheap(contracts: FundContracts, policy: DustPolicy) -> bool:
    """Compare the present price with the policy's. A node that does not say it makes dust wait, and nothing else."""
    try:
        return int(await contracts.rpc.call("eth_gasPrice", []), 16) <= policy.gas_price_wei_max
    except (RpcUnavailable, RpcError) as error:
        log.warning("settlement.gas_price_unknown", reason=str(error))
        return False
