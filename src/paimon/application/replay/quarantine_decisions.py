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

from paimon.application.common.topics import BOOKS, RECONCILE
from paimon.application.event_listener.record.reactions import Happening, reactions_to
from paimon.domain.risk.operator_decision import LogKey, RemedyKind, RemedyState, left_out
from paimon.infrastructure.database.models.ops.outbox import OutboxPriority
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Logs left out by what is carried out, the same with what waits too, and what waits, by id."""

    settled: frozenset[LogKey] = frozenset()
    skipped: frozenset[LogKey] = frozenset()
    asked: tuple[int, ...] = ()


async def load_verdicts(session: AsyncSession, *, with_asked: bool) -> Verdicts:
    """Every decision about a log, in the order they were asked."""
    remedy = OperatorDecisionRow
    query = select(remedy.id, remedy.kind, remedy.block_hash, remedy.log_index, remedy.state)
    rows = (await session.execute(query.where(remedy.block_hash.is_not(None)).order_by(remedy.id))).all()

    def verdicts(*states: RemedyState) -> Iterable[tuple[LogKey, RemedyKind]]:
        return ((LogKey(row.block_hash, row.log_index), row.kind) for row in rows if row.state in states)

    settled = left_out(verdicts(RemedyState.DONE))
    if not with_asked:
        return Verdicts(settled, settled)
    asked = tuple(row.id for row in rows if row.state is RemedyState.ASKED)
    return Verdicts(settled, left_out(verdicts(*RemedyState)), asked)


_HEALED: Final = text("""
    SELECT anew.event, anew.request_id, anew.block_number
      FROM pg_temp.logs_read_anew AS anew JOIN derived.raw_logs AS live USING (block_number, log_index)
     WHERE live.status IN ('quarantined', 'skipped') AND anew.status = 'applied'
     ORDER BY block_number, log_index
""")


async def healed_logs(session: WriteSession) -> list[Happening]:
    """Logs that the swap will apply for the first time: what they make due was never due before."""
    return [
        Happening(row.event, None if row.request_id is None else int(row.request_id), row.block_number)
        for row in await session.execute(_HEALED)
    ]


async def add_reactions(session: WriteSession, healed: Sequence[Happening], carried_out: int, *, at: int) -> None:
    """What follows from logs applied at last, and a comparison that shows what the decisions made of the books."""
    for reaction in reactions_to(healed):
        await outbox.add(session, reaction.kind, reaction.aggregate_id, priority=reaction.priority, payload=reaction.payload)
    if healed or carried_out:
        await outbox.add(session, RECONCILE, BOOKS, priority=OutboxPriority.HIGH, payload={"block": at})


_CLOSE: Final = text("""
    UPDATE owned.remedies AS remedy
       SET state = 'done', ended_at = now(),
           outcome = CASE WHEN log.status IS NULL THEN 'the log is not recorded any more'
                          WHEN log.status = 'applied' THEN 'read and applied'
                          WHEN log.status = 'unknown' THEN 'read: no event of our ABIs has its topic'
                          WHEN log.status = 'skipped' THEN 'left out'
                          ELSE 'still in quarantine: ' || log.reason END
      FROM owned.remedies AS same
      LEFT JOIN derived.raw_logs AS log
        ON log.block_number = same.block_number AND log.block_hash = same.block_hash AND log.log_index = same.log_index
     WHERE same.id = remedy.id AND remedy.id = ANY(:asked) AND remedy.state = 'asked'
    RETURNING remedy.id, remedy.kind, remedy.block_number, remedy.log_index, remedy.outcome
""")


async def close_asked(session: WriteSession, asked: Sequence[int]) -> int:
    """Say of each decision that still waits what became of its log; how many. `session` has swapped the books in."""
    rows = (await session.execute(_CLOSE, {"asked": [*asked]})).all()
    for row in rows:
        log.info("remedy.done", remedy=row.id, kind=row.kind, block=row.block_number, log=row.log_index, outcome=row.outcome)
    return len(rows)
