"""Read what decisions rest on and what came of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.rebalance_engine.store import record_of
from paimon.domain.asset.trade import TradeKind
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.record_text import to_record
from paimon.domain.kernel.units import RawAmount
from paimon.domain.rebalance.rebalance_record import MetCondition, RebalanceRecord, RebalanceStatus, reverses
from paimon.domain.rebalance.triggers import ConditionMemory, Trigger
from paimon.errors import NotFound
from paimon.infrastructure.database.models.ops.rebalance import RebalanceRow, RebalanceTriggerRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page, latest_first


class RebalanceNotFound(NotFound):
    """No decision of the rebalance engine has this id."""


@dataclass(frozen=True, slots=True)
class RebalanceFilter:
    """Which decisions to list. None matches every one; the times are of the decisions, the end excluded."""

    trigger: Trigger | None = None
    status: RebalanceStatus | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class JudgedCondition:
    """One condition as the planner judged it last."""

    name: str
    trigger: Trigger
    figure: int
    fires: bool
    reason: str
    memory: ConditionMemory
    judged_at: datetime
    block_number: int

    @property
    def fired_at(self) -> datetime | None:
        return self.memory.fired_at


@dataclass(frozen=True, slots=True)
class TradeDone:
    """A trade that the chain shows."""

    kind: TradeKind
    token: Address
    usdt: RawAmount
    tokens: RawAmount

    @property
    def is_purchase(self) -> bool:
        return self.kind is TradeKind.PURCHASE

    def is_undone_by(self, later: "TradeDone") -> bool:
        """Report whether a trade of its reversal took it back. A call has its effect as a whole, or none."""
        return self.token == later.token and self.is_purchase is not later.is_purchase


async def get_rebalance(session: AsyncSession, record_id: UUID) -> RebalanceRecord:
    """Raises RebalanceNotFound."""
    row = await session.get(RebalanceRow, record_id)
    if row is None:
        raise RebalanceNotFound(f"there is no rebalance {record_id}")
    return record_of(row)


async def list_rebalances(session: AsyncSession, page: PageRequest, filters: RebalanceFilter) -> Page[RebalanceRecord]:
    """Return decisions, the latest first."""
    conditions: list[ColumnElement[bool]] = []
    if filters.trigger is not None:
        conditions.append(RebalanceRow.trigger == filters.trigger)
    if filters.status is not None:
        conditions.append(RebalanceRow.status == filters.status)
    if filters.start is not None:
        conditions.append(RebalanceRow.created_at >= filters.start)
    if filters.end is not None:
        conditions.append(RebalanceRow.created_at < filters.end)
    order = latest_first(RebalanceRow.created_at, RebalanceRow.id)
    return await fetch_page(session, select(RebalanceRow).where(*conditions), page, record_of, order=order)


async def find_last_executed(session: AsyncSession) -> RebalanceRecord | None:
    query = select(RebalanceRow).where(RebalanceRow.status.in_((RebalanceStatus.EXECUTED, RebalanceStatus.PARTIALLY_EXECUTED)))
    row = (await session.scalars(query.order_by(RebalanceRow.closed_at.desc()).limit(1))).one_or_none()
    return None if row is None else record_of(row)


async def find_last_of_planner(session: AsyncSession) -> RebalanceRecord | None:
    """Return the last decision that the planner made by itself."""
    query = select(RebalanceRow).where(RebalanceRow.requested_by.is_(None))
    row = (await session.scalars(query.order_by(RebalanceRow.created_at.desc()).limit(1))).one_or_none()
    return None if row is None else record_of(row)


async def list_reversals_of(session: AsyncSession, record_id: UUID) -> list[RebalanceRecord]:
    """Return the rebalances that undo this one and are under way or have traded, the oldest first."""
    undoes = RebalanceRow.conditions.contains(to_record((reverses(record_id),), tuple[MetCondition, ...]))
    counts = (RebalanceStatus.SUBMITTED, RebalanceStatus.EXECUTED, RebalanceStatus.PARTIALLY_EXECUTED)
    query = select(RebalanceRow).where(undoes, RebalanceRow.status.in_(counts))
    return [record_of(row) for row in await session.scalars(query.order_by(RebalanceRow.created_at, RebalanceRow.id))]


async def list_judged_conditions(session: AsyncSession) -> list[JudgedCondition]:
    """Return the planner's last verdicts; none before its first look."""
    return [
        JudgedCondition(
            name=row.name,
            trigger=row.trigger,
            figure=int(row.figure),
            fires=row.fires,
            reason=row.reason,
            memory=ConditionMemory(row.fired_at, row.is_armed),
            judged_at=row.judged_at,
            block_number=row.block_number,
        )
        for row in await session.scalars(select(RebalanceTriggerRow))
    ]


async def load_largest_deposit(session: AsyncSession, *, since: datetime, until: datetime) -> RawAmount:
    query = text("SELECT coalesce(max(assets), 0) FROM derived.deposits WHERE at > :since AND at <= :until")
    return RawAmount(int((await session.execute(query, {"since": since, "until": until})).scalar_one()))


_MOVING_PLAN: Final = text("""
    SELECT plan.name
      FROM ops.plans AS plan
      JOIN ops.plan_calls AS call ON call.plan_id = plan.id
      JOIN ops.transaction_intents AS intent ON intent.id = call.intent_id
     WHERE intent.closed_at IS NULL AND plan.idempotency_key IS DISTINCT FROM :other_than
     ORDER BY plan.created_at
     LIMIT 1
""")


async def find_moving_plan(session: AsyncSession, *, other_than: str | None = None) -> str | None:
    """Return the name of a plan, anyone's but the one with this key, whose calls the hot key is making, or None."""
    found: str | None = (await session.execute(_MOVING_PLAN, {"other_than": other_than})).scalar_one_or_none()
    return found


async def find_last_sent_block(session: AsyncSession) -> int | None:
    """Return the block of the newest of our transactions that succeeded."""
    query = text("SELECT max(block_number) FROM ops.transaction_attempts WHERE succeeded")
    found: int | None = (await session.execute(query)).scalar()
    return found


_TRANSACTIONS: Final = text("""
    SELECT attempt.hash
      FROM ops.plan_calls AS call JOIN ops.transaction_attempts AS attempt ON attempt.intent_id = call.intent_id
     WHERE call.plan_id = :plan AND attempt.succeeded
     UNION
    SELECT proposal.executed_tx_hash
      FROM ops.plans AS plan JOIN ops.safe_proposals AS proposal ON proposal.hash = plan.proposal
     WHERE plan.id = :plan AND proposal.executed_tx_hash IS NOT NULL
""")


async def list_transactions(session: AsyncSession, plan_id: UUID) -> list[Hash32]:
    """Return the hashes of the successful transactions that carried a plan out."""
    return [Hash32(bytes(hash_)) for (hash_,) in await session.execute(_TRANSACTIONS, {"plan": plan_id})]


async def find_last_block_of(session: AsyncSession, hashes: Sequence[Hash32]) -> int | None:
    """Return the block of the last of these transactions that is recorded, None where none is."""
    query = text("SELECT max(block_number) FROM derived.raw_logs WHERE tx_hash = ANY(:hashes)")
    found: int | None = (await session.execute(query, {"hashes": list(hashes)})).scalar()
    return found


async def list_trades_of(session: AsyncSession, hashes: Sequence[Hash32]) -> list[TradeDone]:
    query = text(
        "SELECT kind, token, usdt_amount, token_amount FROM derived.trades WHERE tx_hash = ANY(:hashes) AND has_effect"
        " ORDER BY block_number, log_index"
    )
    return [
        TradeDone(
            TradeKind(row.kind), Address(bytes(row.token)), RawAmount(int(row.usdt_amount)), RawAmount(int(row.token_amount))
        )
        for row in await session.execute(query, {"hashes": list(hashes)})
    ]


async def sum_gas_of(session: AsyncSession, hashes: Sequence[Hash32]) -> RawAmount:
    """Return the most that the gas of our own transactions among these may have cost, in wei."""
    query = text("SELECT coalesce(sum(gas_used * max_fee_wei), 0) FROM ops.transaction_attempts WHERE hash = ANY(:hashes)")
    return RawAmount(int((await session.execute(query, {"hashes": list(hashes)})).scalar_one()))
