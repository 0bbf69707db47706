"""Reads of monitoring: every figure of the system by one bounded query, and what the health report lists.

Each scrape of each process runs the query. So it reads small tables and partial indexes only, and the server ends it when it
takes too long: measuring must not slow the system down.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.monitoring.figures import (
    ChannelFigures,
    LastAssessment,
    LastReconciliation,
    LastRecordedBlock,
    LastSnapshot,
    LeaseFigures,
    QueueDepth,
    SystemFigures,
    WalletFigures,
)
from paimon.domain.events.log_status import LogStatus
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.risk.risk_event import Severity
from paimon.domain.risk.risk_policy import RiskLevel
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.lifecycle import OPEN_INTENTS, IntentStatus
from paimon.infrastructure.database.models.derived import RawLogRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.rows.transaction import intent_of
from paimon.infrastructure.database.sessions import Database, ReadSession

DatabaseError = SQLAlchemyError
"""Any failure of the database, also when the server ended a query for its time."""


def _rows(query: str) -> str:
    return f"(SELECT coalesce(json_agg(item), '[]') FROM ({query}) AS item)"  # noqa: S608 — constants of this module


_FIGURES: Final = text(f"""
    SELECT now() AS now,
           cursor.number, cursor.timestamp, block.recorded_at,
           {
    _rows('''SELECT name, owner, epoch, expires_at > now() AS held
                       FROM (SELECT * FROM ops.leases UNION ALL SELECT * FROM ops.signer_leases) AS lease''')
} AS leases,
           {
    _rows('''SELECT priority, count(*) AS depth,
                            coalesce(extract(epoch FROM now() - min(available_at)), 0) AS age_seconds
                       FROM ops.outbox WHERE done_at IS NULL AND dead_lettered_at IS NULL GROUP BY priority''')
} AS outbox,
           (SELECT count(*) FROM ops.outbox WHERE dead_lettered_at IS NOT NULL) AS dead_lettered,
           {
    _rows('''SELECT status, count(*) AS logs FROM derived.raw_logs
                      WHERE status IN ('QUARANTINED', 'SKIPPED') GROUP BY status''')
} AS unapplied,
           {_rows("SELECT severity, count(*) AS events FROM ops.risk_events WHERE status <> 'RESOLVED' GROUP BY severity")}
               AS risk,
           {
    _rows('''SELECT severity, count(*) AS events FROM ops.risk_events
                      WHERE status <> 'RESOLVED' AND kind NOT IN ('INDICATOR_BREACH', 'RISK_LEVEL', 'USDT_OFF_PARITY')
                      GROUP BY severity''')
} AS system_risk,
           {_rows("SELECT status, count(*) AS intents FROM ops.transaction_intents WHERE closed_at IS NULL GROUP BY status")}
               AS intents,
           {
    _rows('''SELECT name, fault IS NOT NULL AS has_fault, balance_wei::text AS balance_wei,
                            extract(epoch FROM now() - seen_at) AS seen_seconds_ago
                       FROM ops.wallets ORDER BY name''')
} AS wallets,
           (SELECT count(*) FROM ops.approval_tickets WHERE closed_at IS NULL AND decided_at IS NULL AND deadline_at < now())
               AS tickets_overdue,
           (SELECT count(*) FROM ops.risk_events WHERE status <> 'RESOLVED' AND kind = 'PRICE_UNTRUSTED') AS untrusted_prices,
           {
    _rows('''SELECT block_number AS block, jsonb_array_length(discrepancies) AS discrepancies,
                            extract(epoch FROM now() - checked_at) AS seconds_ago
                       FROM ops.reconciliations WHERE NOT orphaned ORDER BY id DESC LIMIT 1''')
} AS reconciliation,
           {
    _rows('''SELECT channel, count(*) FILTER (WHERE status <> 'FAILED') AS unsent,
                            count(*) FILTER (WHERE status = 'FAILED') AS failed,
                            coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE status <> 'FAILED')), 0)
                                AS late_seconds
                       FROM ops.notifications
                      WHERE (status IN ('QUEUED', 'SENDING') AND (due_at <= now() OR attempts > 0))
                         OR (status = 'FAILED' AND created_at > now() - interval '1 day')
                      GROUP BY channel''')
} AS channels,
           {
    _rows('''SELECT newest.block_number AS block,
                            extract(epoch FROM cursor.timestamp - newest.block_timestamp) AS seconds_behind
                       FROM derived.cursor AS cursor,
                            (SELECT block_number, block_timestamp
                               FROM ((SELECT block_number, block_timestamp FROM derived.observations
                                       WHERE kind = 'fund_snapshot' AND subject = 'fund' ORDER BY block_number DESC LIMIT 1)
                                     UNION ALL
                                     (SELECT block_number, block_timestamp FROM derived.observations
                                       WHERE kind = 'fund_latest' AND subject = 'fund' ORDER BY block_number DESC LIMIT 1))
                                    AS kinds
                              ORDER BY block_number DESC LIMIT 1) AS newest''')
} AS snapshot,
           (SELECT greatest(0, (now() AT TIME ZONE 'UTC' - interval '1 hour')::date - coalesce(
                       (SELECT max(day) + 1 FROM ops.audit_day_roots),
                       (SELECT (sealed_at AT TIME ZONE 'UTC')::date FROM ops.audit_roots ORDER BY size LIMIT 1))))
               AS day_roots_late,
           {
    _rows("SELECT level, score, extract(epoch FROM now() - assessed_at) AS seconds_ago FROM ops.risk_assessment")
} AS assessment
      FROM (VALUES (1)) AS one
      LEFT JOIN derived.cursor AS cursor ON true
      LEFT JOIN derived.blocks AS block ON block.number = cursor.number
""")  # noqa: S608 — made of the constants above


async def read_figures(database: Database, *, timeout_seconds: float) -> SystemFigures:
    """Read every figure, within a time.

    Raises:
        DatabaseError.
    """
    async with database.read() as session:
        await set_statement_timeout(session, timeout_seconds)
        return await query_figures(session)


async def set_statement_timeout(session: AsyncSession, timeout_seconds: float) -> None:
    """Have the server end any statement of this transaction that takes longer."""
    await session.execute(text(f"SET LOCAL statement_timeout = {round(timeout_seconds * 1_000)}"))


async def query_figures(session: AsyncSession) -> SystemFigures:
    """Read every figure in the caller's snapshot."""
    row = (await session.execute(_FIGURES)).one()
    queues = {queue["priority"]: queue for queue in row.outbox}
    unapplied = {found["status"]: found["logs"] for found in row.unapplied}
    return SystemFigures(
        now=row.now,
        recorded=None if row.number is None else LastRecordedBlock(row.number, row.timestamp, row.recorded_at),
        leases={lease["name"]: LeaseFigures(**lease) for lease in row.leases},
        outbox=tuple(_queue_depth(priority, queues.get(priority)) for priority in OutboxPriority),
        dead_lettered=row.dead_lettered,
        quarantined=unapplied.get(LogStatus.QUARANTINED, 0),
        skipped=unapplied.get(LogStatus.SKIPPED, 0),
        risk=_by_severity(row.risk),
        system_risk=_by_severity(row.system_risk),
        intents=dict.fromkeys(OPEN_INTENTS, 0) | {IntentStatus(found["status"]): found["intents"] for found in row.intents},
        wallets=tuple(_wallet(wallet) for wallet in row.wallets),
        tickets_overdue=row.tickets_overdue,
        untrusted_prices=row.untrusted_prices,
        channels=tuple(ChannelFigures(**channel) for channel in row.channels),
        day_roots_late=row.day_roots_late or 0,
        snapshot=_snapshot(row.snapshot[0]) if row.snapshot else None,
        reconciliation=LastReconciliation(**row.reconciliation[0]) if row.reconciliation else None,
        assessment=_assessment(row.assessment[0]) if row.assessment else None,
    )


def _by_severity(rows: Sequence[Mapping[str, Any]]) -> dict[Severity, int]:
    return dict.fromkeys(Severity, 0) | {Severity(found["severity"]): found["events"] for found in rows}


def _snapshot(found: Mapping[str, Any]) -> LastSnapshot:
    return LastSnapshot(found["block"], max(float(found["seconds_behind"]), 0.0))


def _assessment(found: Mapping[str, Any]) -> LastAssessment:
    return LastAssessment(RiskLevel(found["level"]).number, float(found["score"]), float(found["seconds_ago"]))


def _queue_depth(priority: OutboxPriority, queue: Mapping[str, Any] | None) -> QueueDepth:
    if queue is None:
        return QueueDepth(priority, 0, 0.0)
    return QueueDepth(priority, queue["depth"], max(float(queue["age_seconds"]), 0.0))


def _wallet(wallet: Mapping[str, Any]) -> WalletFigures:
    balance = wallet["balance_wei"]
    return WalletFigures(
        wallet["name"], wallet["has_fault"], None if balance is None else int(balance), wallet["seen_seconds_ago"]
    )


async def list_open_intents(session: ReadSession, *, limit: int) -> list[Intent]:
    """Return the intents that are not closed, oldest first."""
    query = select(IntentRow).where(IntentRow.closed_at.is_(None)).order_by(IntentRow.created_at).limit(limit)
    return [intent_of(row) for row in await session.scalars(query)]


async def list_quarantined_requests(session: ReadSession, *, limit: int) -> Sequence[int]:
    """Return the redemption requests that quarantined logs are about, oldest log first."""
    query = (
        select(RawLogRow.request_id)
        .where(RawLogRow.status == LogStatus.QUARANTINED, RawLogRow.request_id.is_not(None))
        .order_by(RawLogRow.block_number)
        .limit(limit)
    )
    return [int(request_id) for request_id in await session.scalars(query) if request_id is not None]
