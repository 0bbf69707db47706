"""What people decided about single logs, as a rebuild of the books takes it.

A replay takes up every decision that waits and closes it in the transaction of its swap, under the cursor's lock: exactly
once, whoever asked and however many replays run. What was carried out by another replay in the meantime is found there too,
and then what was rebuilt without knowing of it is thrown away. A check goes by what is carried out, as the live tables do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.common.topics import RECONCILE, WHOLE_FUND
from paimon.application.event_listener.record.reactions import AppliedEvent, messages_for
from paimon.domain.risk.operator_decision import LogKey, OperatorDecisionKind, OperatorDecisionStatus, skipped_logs
from paimon.infrastructure.database.models.ops.outbox import OutboxPriority
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class QuarantineDecisions:
    """Logs left out by what is carried out, the same with what waits too, and what waits, by id."""

    applied: frozenset[LogKey] = frozenset()
    skipped: frozenset[LogKey] = frozenset()
    requested_ids: tuple[int, ...] = ()


async def load_quarantine_decisions(session: AsyncSession, *, include_requested: bool) -> QuarantineDecisions:
    """Every decision about a log, in the order they were asked."""
    decision = OperatorDecisionRow
    query = select(decision.id, decision.kind, decision.block_hash, decision.log_index, decision.status)
    rows = (await session.execute(query.where(decision.block_hash.is_not(None)).order_by(decision.id))).all()

    def decided(*statuses: OperatorDecisionStatus) -> Iterable[tuple[LogKey, OperatorDecisionKind]]:
        return ((LogKey(row.block_hash, row.log_index), row.kind) for row in rows if row.status in statuses)

    applied = skipped_logs(decided(OperatorDecisionStatus.DONE))
    if not include_requested:
        return QuarantineDecisions(applied, applied)
    requested_ids = tuple(row.id for row in rows if row.status is OperatorDecisionStatus.REQUESTED)
    return QuarantineDecisions(applied, skipped_logs(decided(*OperatorDecisionStatus)), requested_ids)


_NEWLY_APPLIED: Final = text("""
    SELECT anew.event, anew.request_id, anew.block_number
      FROM pg_temp.redecoded_logs AS anew JOIN derived.raw_logs AS live USING (block_number, log_index)
     WHERE live.status IN ('QUARANTINED', 'SKIPPED') AND anew.status = 'APPLIED'
     ORDER BY block_number, log_index
""")


async def find_newly_applied(session: WriteSession) -> list[AppliedEvent]:
    """Logs that the swap will apply for the first time: what they make due was never due before."""
    return [
        AppliedEvent(row.event, None if row.request_id is None else int(row.request_id), row.block_number)
        for row in await session.execute(_NEWLY_APPLIED)
    ]


async def add_due_messages(
    session: WriteSession, newly_applied: Sequence[AppliedEvent], decisions_applied: int, *, at: int
) -> None:
    """What follows from logs applied at last, and a comparison that shows what the decisions made of the books."""
    for message in messages_for(newly_applied):
        await outbox.add(session, message.kind, message.aggregate_id, priority=message.priority, payload=message.payload)
    if newly_applied or decisions_applied:
        await outbox.add(session, RECONCILE, WHOLE_FUND, priority=OutboxPriority.HIGH, payload={"block": at})


_CLOSE: Final = text("""
    UPDATE ops.operator_decisions AS decision
       SET status = 'DONE', ended_at = now(),
           outcome = CASE WHEN log.status IS NULL THEN 'the log is not recorded any more'
                          WHEN log.status = 'APPLIED' THEN 'read and applied'
                          WHEN log.status = 'UNKNOWN' THEN 'read: no event of our ABIs has its topic'
                          WHEN log.status = 'SKIPPED' THEN 'left out'
                          ELSE 'still in quarantine: ' || log.reason END
      FROM ops.operator_decisions AS same
      LEFT JOIN derived.raw_logs AS log
        ON log.block_number = same.block_number AND log.block_hash = same.block_hash AND log.log_index = same.log_index
     WHERE same.id = decision.id AND decision.id = ANY(:requested_ids) AND decision.status = 'REQUESTED'
    RETURNING decision.id, decision.kind, decision.block_number, decision.log_index, decision.outcome
""")


async def close_requested(session: WriteSession, requested_ids: Sequence[int]) -> int:
    """Say of each decision that still waits what became of its log; how many. `session` has swapped the books in."""
    rows = (await session.execute(_CLOSE, {"requested_ids": [*requested_ids]})).all()
    for row in rows:
        log.info(
            "operator_decision.applied",
            decision=row.id,
            kind=row.kind,
            block=row.block_number,
            log=row.log_index,
            outcome=row.outcome,
        )
    return len(rows)
