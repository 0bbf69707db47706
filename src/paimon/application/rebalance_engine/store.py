"""Store decisions of the rebalance engine, and what is known of each condition."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.kernel.record_text import from_record, to_record
from paimon.domain.rebalance.rebalance_record import (
    ENDS_FROM,
    OPEN_REBALANCES,
    MetCondition,
    RebalanceOutcome,
    RebalanceRecord,
    RebalanceStatus,
    TradeCall,
)
from paimon.domain.rebalance.triggers import ConditionMemory, Verdict
from paimon.infrastructure.database.models.ops.rebalance import RebalanceRow, RebalanceTriggerRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

_LOCK: Final = 0x5061696D_72656261  # "Paimreba"


async def lock_decisions(session: WriteSession) -> None:
    """Let no other decision be submitted until the transaction ends: there is one plan at a time."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


async def insert_record(session: WriteSession, record: RebalanceRecord) -> None:
    session.add(
        RebalanceRow(
            id=record.id,
            trigger=record.trigger,
            status=record.status,
            conditions=to_record(record.conditions, tuple[MetCondition, ...]),
            calls=to_record(record.calls, tuple[TradeCall, ...]),
            requested_by=record.requested_by,
            created_at=record.created_at,
            block_number=record.at.number,
            block_hash=record.at.hash,
            block_at=record.at.timestamp,
            inputs=record.inputs_text,
            result=record.result_text,
            plan_id=record.plan_id,
            closed_at=record.closed_at,
            close_reason=record.close_reason,
        )
    )
    await session.flush()


async def submitted(session: WriteSession, record_id: UUID, plan_id: UUID) -> bool:
    """Record the plan that carries a decision out. Report whether the decision was still waiting for it."""
    found = await session.execute(
        update(RebalanceRow)
        .where(RebalanceRow.id == record_id, RebalanceRow.status == RebalanceStatus.PROPOSED)
        .values(status=RebalanceStatus.SUBMITTED, plan_id=plan_id)
        .returning(RebalanceRow.id)
    )
    return found.one_or_none() is not None


async def close(
    session: WriteSession,
    record_id: UUID,
    status: RebalanceStatus,
    reason: str,
    *,
    now: datetime,
    outcome: RebalanceOutcome | None = None,
) -> None:
    """End a decision; one that is not, or no longer, where this end comes from stays as it is."""
    values: dict[str, Any] = {"status": status, "closed_at": now, "close_reason": reason}
    if outcome is not None:
        values["outcome"] = to_record(outcome, RebalanceOutcome)
    await session.execute(
        update(RebalanceRow).where(RebalanceRow.id == record_id, RebalanceRow.status == ENDS_FROM[status]).values(**values)
    )


async def find_record(session: ReadSession | WriteSession, record_id: UUID) -> RebalanceRecord | None:
    row = await session.get(RebalanceRow, record_id)
    return None if row is None else record_of(row)


async def list_open(session: ReadSession | WriteSession, status: RebalanceStatus) -> list[RebalanceRecord]:
    """Return the open decisions of this status, the oldest first."""
    assert status in OPEN_REBALANCES  # noqa: S101 — ended ones are a history, and are read by pages
    query = select(RebalanceRow).where(RebalanceRow.status == status).order_by(RebalanceRow.created_at, RebalanceRow.id)
    return [record_of(row) for row in await session.scalars(query)]


async def load_memory(session: ReadSession | WriteSession) -> dict[str, ConditionMemory]:
    rows = await session.scalars(select(RebalanceTriggerRow))
    return {row.name: ConditionMemory(row.fired_at, row.is_armed) for row in rows}


async def save_verdicts(session: WriteSession, verdicts: Sequence[Verdict], *, at: BlockStamp, now: datetime) -> None:
    """Keep the last verdict of each condition with its memory."""
    statement = insert(RebalanceTriggerRow)
    changed = ("figure", "fires", "reason", "fired_at", "is_armed", "judged_at", "block_number")
    for verdict in verdicts:
        values = {
            "name": verdict.condition.name,
            "trigger": verdict.condition.trigger,
            "figure": verdict.figure,
            "fires": verdict.fires,
            "reason": verdict.reason,
            "fired_at": verdict.memory.fired_at,
            "is_armed": verdict.memory.is_armed,
            "judged_at": now,
            "block_number": at.number,
        }
        await session.execute(
            statement.values(**values).on_conflict_do_update(
                index_elements=["name"], set_={name: statement.excluded[name] for name in changed}
            )
        )


def record_of(row: RebalanceRow) -> RebalanceRecord:
    """Convert a row to the domain's value."""
    return RebalanceRecord(
        id=row.id,
        trigger=row.trigger,
        status=row.status,
        conditions=from_record(row.conditions, tuple[MetCondition, ...]),
        calls=from_record(row.calls, tuple[TradeCall, ...]),
        requested_by=row.requested_by,
        created_at=row.created_at,
        at=BlockStamp(row.block_number, row.block_hash, row.block_at),
        inputs_text=row.inputs,
        result_text=row.result,
        plan_id=row.plan_id,
        closed_at=row.closed_at,
        close_reason=row.close_reason,
        outcome=None if row.outcome is None else from_record(row.outcome, RebalanceOutcome),
    )
