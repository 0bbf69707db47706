"""What a remedy is for, found and judged: a row of the outbox, or a recorded log."""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.risk.operator_decision import (
    LogKey,
    RemedyKind,
    RemedyState,
    Subject,
    log_subject,
    reaction_subject,
    why_not_log,
    why_not_reaction,
)
from paimon.errors import NotFound
from paimon.infrastructure.database.models.derived import LogStatus, RawLogRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow

WAITS = "another decision about this log waits to be carried out; see what becomes of it first"


class ReactionNotFound(NotFound):
    """No row of the outbox has this id."""


class LogNotFound(NotFound):
    """No recorded log is at this place."""


class Reaction(NamedTuple):
    """A row of the outbox, by its id."""

    id: int


class Place(NamedTuple):
    """A recorded log, by its place in the chain."""

    block_number: int
    log_index: int


Target = Reaction | Place


@dataclass(frozen=True, slots=True)
class Judged:
    """What a remedy would be for, with the columns that name it, and why it makes no sense now, if it does not."""

    subject: Subject
    columns: dict[str, object]
    why_not: str | None


async def judge(session: AsyncSession, kind: RemedyKind, target: Target, *, lock: bool = False) -> Judged:
    """Whoever locks is alone with the reaction, or with the log, until the transaction ends.

    Raises:
        ReactionNotFound, LogNotFound.
    """
    if isinstance(target, Reaction):
        message = await session.get(OutboxMessageRow, target.id, populate_existing=True, with_for_update=lock or None)
        if message is None:
            raise ReactionNotFound(f"the outbox has no row {target.id}")
        subject = reaction_subject(message.id, message.kind, message.aggregate_id, message.last_error)
        why_not = why_not_reaction(dead=message.dead_at is not None, done=message.done_at is not None)
        return Judged(subject, {"outbox_id": message.id}, why_not)
    row = await session.get(RawLogRow, target, populate_existing=True, with_for_update=lock or None)
    if row is None:
        raise LogNotFound(f"no log {target.log_index} of block {target.block_number} is recorded")
    key = LogKey(row.block_hash, row.log_index)
    why_not = why_not_log(kind, quarantined=row.status is LogStatus.QUARANTINED, skipped=row.status is LogStatus.SKIPPED) or (
        WAITS if await _waits(session, key) else None
    )
    columns = {"block_number": row.block_number, "block_hash": row.block_hash, "log_index": row.log_index}
    return Judged(log_subject(key, row.block_number, row.reason), columns, why_not)


async def _waits(session: AsyncSession, key: LogKey) -> bool:
    asked = OperatorDecisionRow.state == RemedyState.ASKED
    query = select(OperatorDecisionRow.id).where(
        OperatorDecisionRow.block_hash == key.block_hash, OperatorDecisionRow.log_index == key.log_index, asked
    )
    return (await session.execute(query)).first() is not None
