"""What a remedy is for, found and judged: a row of the outbox, or a recorded log."""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.events.log_status import LogStatus
from paimon.domain.risk.operator_decision import (
    DecisionTarget,
    LogKey,
    OperatorDecisionKind,
    OperatorDecisionStatus,
    log_decision_rejection,
    message_replay_rejection,
    message_target,
    quarantined_log_target,
)
from paimon.errors import NotFound
from paimon.infrastructure.database.models.derived import RawLogRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow

DECISION_PENDING = "another decision about this log waits to be carried out; see what becomes of it first"


class OutboxMessageNotFound(NotFound):
    """No row of the outbox has this id."""


class LogNotFound(NotFound):
    """No recorded log is at this place."""


class OutboxMessageRef(NamedTuple):
    """A row of the outbox, by its id."""

    id: int


class LogPosition(NamedTuple):
    """A recorded log, by its place in the chain."""

    block_number: int
    log_index: int


Target = OutboxMessageRef | LogPosition


@dataclass(frozen=True, slots=True)
class EvaluatedTarget:
    """What a remedy would be for, with the columns that name it, and why it makes no sense now, if it does not."""

    target: DecisionTarget
    columns: dict[str, object]
    rejection_reason: str | None


async def evaluate(session: AsyncSession, kind: OperatorDecisionKind, target: Target, *, lock: bool = False) -> EvaluatedTarget:
    """Whoever locks is alone with the reaction, or with the log, until the transaction ends.

    Raises:
        OutboxMessageNotFound, LogNotFound.
    """
    if isinstance(target, OutboxMessageRef):
        message = await session.get(OutboxMessageRow, target.id, populate_existing=True, with_for_update=lock or None)
        if message is None:
            raise OutboxMessageNotFound(f"the outbox has no row {target.id}")
        decision_target = message_target(message.id, message.kind, message.aggregate_id, message.last_error)
        rejection_reason = message_replay_rejection(
            is_dead_lettered=message.dead_lettered_at is not None, is_done=message.done_at is not None
        )
        return EvaluatedTarget(decision_target, {"outbox_id": message.id}, rejection_reason)
    row = await session.get(RawLogRow, target, populate_existing=True, with_for_update=lock or None)
    if row is None:
        raise LogNotFound(f"no log {target.log_index} of block {target.block_number} is recorded")
    key = LogKey(row.block_hash, row.log_index)
    rejection_reason = log_decision_rejection(
        kind, is_quarantined=row.status is LogStatus.QUARANTINED, is_skipped=row.status is LogStatus.SKIPPED
    ) or (DECISION_PENDING if await _is_decision_pending(session, key) else None)
    columns = {"block_number": row.block_number, "block_hash": row.block_hash, "log_index": row.log_index}
    return EvaluatedTarget(quarantined_log_target(key, row.block_number, row.reason), columns, rejection_reason)


async def _is_decision_pending(session: AsyncSession, key: LogKey) -> bool:
    asked = OperatorDecisionRow.status == OperatorDecisionStatus.REQUESTED
    query = select(OperatorDecisionRow.id).where(
        OperatorDecisionRow.block_hash == key.block_hash, OperatorDecisionRow.log_index == key.log_index, asked
    )
    return (await session.execute(query)).first() is not None
