"""Compare a plan that has ended with what the chain shows, and end its decision.

the plan is open                              → wait
no call had its effect                        → NOT_EXECUTED, with the plan's status and how its ticket ended
the last transaction is in no snapshot yet    → wait
otherwise                                     → EXECUTED or PARTIALLY_EXECUTED, with the outcome; watchers are told
"""

from dataclasses import dataclass
from typing import Final

import structlog

from paimon.application.nav.store import find_newest_snapshot
from paimon.application.rebalance_engine.queries import (
    TradeDone,
    find_last_block_of,
    list_trades_of,
    list_transactions,
    sum_gas_of,
)
from paimon.application.rebalance_engine.store import close, list_open
from paimon.application.transactions.plans.context import PlanContext
from paimon.application.transactions.plans.queries import get_plan
from paimon.domain.asset.tier import Tier
from paimon.domain.asset.trade import TradeKind
from paimon.domain.kernel.units import RawAmount
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.rebalance.rebalance_plan import Side
from paimon.domain.rebalance.rebalance_record import (
    RebalanceOutcome,
    RebalanceRecord,
    RebalanceStatus,
    share_differences,
)
from paimon.domain.transaction.plan import OPEN_PLANS, PlanStatus
from paimon.domain.vault.fund_snapshot import FundSnapshot, token_value
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import ReadSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)

REBALANCE: Final = "rebalance"
"""Kind of the outbox message that tells watchers of a rebalance that was carried out."""

_EXECUTED: Final = {
    PlanStatus.DONE: RebalanceStatus.EXECUTED,
    PlanStatus.PARTIALLY_DONE: RebalanceStatus.PARTIALLY_EXECUTED,
}


async def conclude_ended(context: PlanContext) -> None:
    """End every submitted decision whose plan has ended and whose effect a snapshot shows."""
    async with context.database.read() as session:
        records = await list_open(session, RebalanceStatus.SUBMITTED)
    for record in records:
        await _conclude(record, context)


async def _conclude(record: RebalanceRecord, context: PlanContext) -> None:
    assert record.plan_id is not None  # noqa: S101 — the table has a check for it
    async with context.database.read() as session:
        plan = await get_plan(session, record.plan_id, context.safe_context)
        if plan.status in OPEN_PLANS:
            return
        status = _EXECUTED.get(plan.status, RebalanceStatus.NOT_EXECUTED)
        outcome = None
        if status is not RebalanceStatus.NOT_EXECUTED:
            outcome = await _outcome(session, record)
            if outcome is None:
                return
    async with context.database.write() as session:
        reason = f"its plan is {plan.status}"
        if status is RebalanceStatus.NOT_EXECUTED and plan.refused is not None:
            reason += f"; {plan.refused}; the owners must reject its Safe transaction, which they can still execute"
        await close(session, record.id, status, reason, now=await database_now(session), outcome=outcome)
        if outcome is not None:
            await outbox.add(session, REBALANCE, str(record.id), priority=OutboxPriority.NORMAL)
    if outcome is not None and not outcome.is_as_expected:
        differences = {str(tier): difference for tier, difference in outcome.differences.items()}
        log.warning("rebalance.not_as_expected", rebalance_id=str(record.id), differences_bps=differences)
    log.info("rebalance.ended", rebalance_id=str(record.id), status=status)


async def _outcome(session: ReadSession, record: RebalanceRecord) -> RebalanceOutcome | None:
    """Return what came of a plan; None until a snapshot is as new as its last transaction."""
    assert record.plan_id is not None  # noqa: S101
    hashes = await list_transactions(session, record.plan_id)
    block, snapshot = await find_last_block_of(session, hashes), await find_newest_snapshot(session)
    if block is None or snapshot is None or snapshot.at.number < block:
        return None
    trades = await list_trades_of(session, hashes)
    tiers = _tier_values(record, snapshot)
    total = RawAmount(max(sum(tiers.values()), 0))
    costs = [cost for trade in trades if (cost := _cost(trade, record)) is not None]
    return RebalanceOutcome(
        at=snapshot.at,
        tier_values=tiers,
        total=total,
        trades=len(trades),
        cost=sum(cost.paid for cost in costs),
        gas_wei=await sum_gas_of(session, hashes),
        differences=share_differences(record.expected, tiers, total),
        traded=RawAmount(sum(cost.traded for cost in costs)),
        planned_cost=RawAmount(sum(cost.planned for cost in costs)),
    )


def _tier_values(record: RebalanceRecord, snapshot: FundSnapshot) -> dict[Tier, int]:
    """Return the tiers as the plan counted them: L1 without what was reserved, each with what is paid for and not delivered."""
    fund = record.inputs.fund
    values = {tier: snapshot.tier_value(tier) + sum(a.in_transit for a in fund.assets if a.tier is tier) for tier in Tier}
    values[Tier.L1] -= fund.reserved
    return values


@dataclass(frozen=True, slots=True)
class _TradeCost:
    """What a trade moved at the price of the plan, what it lost against that price, and what the plan expected it to lose."""

    traded: RawAmount
    paid: int
    planned: RawAmount


def _cost(trade: TradeDone, record: RebalanceRecord) -> _TradeCost | None:
    """Return what a trade cost; None for one that the plan does not have."""
    side = Side.BUY if trade.kind is TradeKind.PURCHASE else Side.SELL
    call = next((call for call in record.calls if (call.token, call.side) == (trade.token, side)), None)
    if call is None:
        return None
    value = token_value(trade.tokens, call.price, call.decimals)
    planned = sum(each.trade.cost for each in record.trades if (each.trade.token, each.trade.side) == (trade.token, side))
    if side is Side.BUY:
        return _TradeCost(trade.usdt, trade.usdt - value, RawAmount(planned))
    return _TradeCost(value, value - trade.usdt, RawAmount(planned))
