"""Storage of operators' decisions, and the targets they are about: outbox messages and recorded logs."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.common.log_id import LogId
from paimon.application.common.signing_rules import SignatureEvidence
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
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import RawLogRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.queue import outbox

DECISION_PENDING: Final = "another decision about this log waits to be applied; see its outcome first"


class OutboxMessageNotFound(NotFound):
    """No outbox message has this id."""


class LogNotFound(NotFound):
    """No log is recorded at this position."""


class OutboxMessageRef(NamedTuple):
    """The id of an outbox message."""

    id: int


Target = OutboxMessageRef | LogId


@dataclass(frozen=True, slots=True)
class EvaluatedTarget:
    """The target of a decision, the columns that name it, and the reason why the decision is impossible now, if it is."""

    target: DecisionTarget
    columns: dict[str, object]
    rejection_reason: str | None


async def evaluate(session: AsyncSession, kind: OperatorDecisionKind, target: Target, *, lock: bool = False) -> EvaluatedTarget:
    """Evaluate whether a decision about a target is possible now.

    With `lock`, the target stays as it is until the transaction ends.

    Raises:
        OutboxMessageNotFound, LogNotFound.
    """
    if isinstance(target, OutboxMessageRef):
        return await _evaluate_message(session, target, lock=lock)
    row = await session.get(RawLogRow, target, populate_existing=True, with_for_update=lock or None)
    if row is None:
        raise LogNotFound(f"no log {target.log_index} of block {target.block_number} is recorded")
    key = LogKey(row.block_hash, row.log_index)
    rejection_reason = log_decision_rejection(
        kind, is_quarantined=row.status is LogStatus.QUARANTINED, is_skipped=row.status is LogStatus.SKIPPED
    ) or (DECISION_PENDING if await _is_decision_pending(session, key) else None)
    columns = {"block_number": row.block_number, "block_hash": row.block_hash, "log_index": row.log_index}
    return EvaluatedTarget(quarantined_log_target(key, row.block_number, row.reason), columns, rejection_reason)


async def _evaluate_message(session: AsyncSession, target: OutboxMessageRef, *, lock: bool) -> EvaluatedTarget:
    message = await session.get(OutboxMessageRow, target.id, populate_existing=True, with_for_update=lock or None)
    if message is None:
        raise OutboxMessageNotFound(f"the outbox has no message {target.id}")
    rejection_reason = message_replay_rejection(
        is_dead_lettered=message.dead_lettered_at is not None, is_done=message.done_at is not None
    )
    described = message_target(message.id, message.kind, message.aggregate_id, message.last_error)
    return EvaluatedTarget(described, {"outbox_id": message.id}, rejection_reason)


async def _is_decision_pending(session: AsyncSession, key: LogKey) -> bool:
    query = select(OperatorDecisionRow.id).where(
        OperatorDecisionRow.block_hash == key.block_hash,
        OperatorDecisionRow.log_index == key.log_index,
        OperatorDecisionRow.status == OperatorDecisionStatus.REQUESTED,
    )
    return (await session.execute(query)).first() is not None


def new_decision(
    kind: OperatorDecisionKind, evaluated: EvaluatedTarget, reason: str, evidence: SignatureEvidence
) -> OperatorDecisionRow:
    """Return a requested decision, with the evidence of its signature."""
    return OperatorDecisionRow(
        kind=kind,
        problem=evaluated.target.problem,
        reason=reason,
        requested_by=evidence.signer,
        nonce=evidence.terms.nonce,
        expires_at=evidence.terms.expires_at,
        typed_data=evidence.document,
        signature=evidence.signature,
        **evaluated.columns,
    )


async def save_decision(session: WriteSession, decision: OperatorDecisionRow) -> None:
    """Insert a decision and read back the values that the database gave it."""
    session.add(decision)
    await session.flush()
    await session.refresh(decision)


async def replay_message(session: WriteSession, decision: OperatorDecisionRow) -> None:
    """Make the decision's outbox message due again, and close the decision."""
    now = await database_now(session)
    due_again = {"dead_lettered_at": None, "attempts": 0, "enqueued_at": None, "available_at": now}
    await session.execute(update(OutboxMessageRow).where(OutboxMessageRow.id == decision.outbox_id).values(due_again))
    await outbox.notify(session)
    decision.status, decision.outcome, decision.ended_at = OperatorDecisionStatus.DONE, "due again", now
