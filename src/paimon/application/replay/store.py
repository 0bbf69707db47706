"""Storage of decisions about logs, and of the logs that a rebuild decodes differently."""

from collections.abc import Iterable, Sequence
from typing import Final

import structlog
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.event_listener.record.outbox_messages import AppliedEvent
from paimon.application.replay.quarantine_decisions import QuarantineDecisions
from paimon.application.replay.shadow_tables import REDECODED_LOGS
from paimon.domain.risk.operator_decision import LogKey, OperatorDecisionKind, OperatorDecisionStatus, skipped_logs
from paimon.infrastructure.database.bulk_copy import driver_connection
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)


async def load_quarantine_decisions(session: AsyncSession, *, include_requested: bool) -> QuarantineDecisions:
    """Return every decision about a log, in the order of the requests."""
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


_CLOSE: Final = text("""
    UPDATE ops.operator_decisions AS decision
       SET status = 'DONE', ended_at = now(),
           outcome = CASE WHEN log.status IS NULL THEN 'the log is not recorded any more'
                          WHEN log.status = 'APPLIED' THEN 'decoded and applied'
                          WHEN log.status = 'UNKNOWN' THEN 'decoded: no event of our ABIs has its topic'
                          WHEN log.status = 'SKIPPED' THEN 'skipped'
                          ELSE 'still in quarantine: ' || log.reason END
      FROM ops.operator_decisions AS same
      LEFT JOIN derived.raw_logs AS log
        ON log.block_number = same.block_number AND log.block_hash = same.block_hash AND log.log_index = same.log_index
     WHERE same.id = decision.id AND decision.id = ANY(:requested_ids) AND decision.status = 'REQUESTED'
    RETURNING decision.id, decision.kind, decision.block_number, decision.log_index, decision.outcome
""")


async def close_requested(session: WriteSession, requested_ids: Sequence[int]) -> int:
    """Close each decision that is still requested, with the outcome for its log; return how many.

    The session has swapped in the rebuilt tables.
    """
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


_NEWLY_APPLIED: Final = text("""
    SELECT redecoded.event, redecoded.request_id, redecoded.block_number
      FROM pg_temp.redecoded_logs AS redecoded JOIN derived.raw_logs AS live USING (block_number, log_index)
     WHERE live.status IN ('QUARANTINED', 'SKIPPED') AND redecoded.status = 'APPLIED'
     ORDER BY block_number, log_index
""")


async def find_newly_applied(session: WriteSession) -> list[AppliedEvent]:
    """Return the logs that the swap will apply for the first time: what follows from them was never due before."""
    return [
        AppliedEvent(row.event, None if row.request_id is None else int(row.request_id), row.block_number)
        for row in await session.execute(_NEWLY_APPLIED)
    ]


async def store_redecoded_logs(session: WriteSession, rows: Sequence[Sequence[object]]) -> None:
    """Copy rows of the key and the decoded columns into the shadow's table of redecoded logs."""
    if not rows:
        return
    columns = ", ".join(column.name for column in REDECODED_LOGS.columns)
    connection = await driver_connection(session)
    async with connection.cursor() as cursor, cursor.copy(f"COPY {REDECODED_LOGS.fullname} ({columns}) FROM STDIN") as copy:
        for row in rows:
            await copy.write_row(row)
