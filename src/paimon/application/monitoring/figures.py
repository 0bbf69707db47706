"""Every figure that the database has of the house, by one bounded query: for metrics, the health report and the terminal.

It is asked by each scrape of each process, so it touches small tables and partial indexes only, and the server itself ends
it when it takes too long: whoever measures must never be what hangs the house.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.risk.risk_event import Severity
from paimon.domain.transaction.lifecycle import OPEN_INTENTS, IntentStatus
from paimon.infrastructure.database.models.derived import LogStatus
from paimon.infrastructure.database.models.ops.outbox import OutboxPriority
from paimon.infrastructure.database.sessions import Database


@dataclass(frozen=True, slots=True)
class LastRecordedBlock:
    """The last recorded block; `recorded_at` by the database's clock, None for the one before the first."""

    number: int
    timestamp: datetime
    recorded_at: datetime | None


@dataclass(frozen=True, slots=True)
class LeaseFigures:
    """Who holds a lease, or held it last."""

    name: str
    owner: str
    epoch: int
    held: bool


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Reactions of one priority that are not done, and how long the oldest that may run has been waiting."""

    priority: OutboxPriority
    depth: int
    age_seconds: float


@dataclass(frozen=True, slots=True)
class WalletFigures:
    """A sending key as its driver last saw it."""

    name: str
    has_fault: bool
    balance_wei: int | None
    seen_seconds_ago: float | None


@dataclass(frozen=True, slots=True)
class LastReconciliation:
    """The last comparison of the books with the chain."""

    block: int
    discrepancies: int
    seconds_ago: float


@dataclass(frozen=True, slots=True)
class SystemFigures:
    """One moment of the house."""

    now: datetime
    recorded: LastRecordedBlock | None
    leases: Mapping[str, LeaseFigures]
    outbox: tuple[QueueDepth, ...]
    dead_lettered: int
    quarantined: int
    skipped: int
    risk: Mapping[Severity, int]
    intents: Mapping[IntentStatus, int]
    wallets: tuple[WalletFigures, ...]
    tickets_overdue: int
    reconciliation: LastReconciliation | None

    @property
    def depth(self) -> int:
        return sum(each.depth for each in self.outbox)

    @property
    def age_seconds(self) -> float:
        """Of the oldest reaction that may run and is not done."""
        return max(each.age_seconds for each in self.outbox)


def _rows(query: str) -> str:
    return f"(SELECT coalesce(json_agg(found), '[]') FROM ({query}) AS found)"  # noqa: S608 — constants of this module


_FIGURES: Final = text(f"""
    SELECT now() AS now,
           cursor.number, cursor.timestamp, block.recorded_at,
           {_rows("SELECT name, owner, epoch, expires_at > now() AS held FROM ops.leases")} AS leases,
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
           {_rows("SELECT status, count(*) AS intents FROM ops.transaction_intents WHERE closed_at IS NULL GROUP BY status")}
               AS intents,
           {
    _rows('''SELECT name, fault IS NOT NULL AS has_fault, balance_wei::text AS balance_wei,
                            extract(epoch FROM now() - seen_at) AS seen_seconds_ago
                       FROM ops.wallets ORDER BY name''')
} AS wallets,
           (SELECT count(*) FROM ops.approval_tickets WHERE closed_at IS NULL AND decided_at IS NULL AND deadline_at < now())
               AS tickets_overdue,
           {
    _rows('''SELECT block_number AS block, jsonb_array_length(discrepancies) AS discrepancies,
                            extract(epoch FROM now() - checked_at) AS seconds_ago
                       FROM ops.reconciliations WHERE NOT orphaned ORDER BY id DESC LIMIT 1''')
} AS reconciliation
      FROM (VALUES (1)) AS one
      LEFT JOIN derived.cursor AS cursor ON true
      LEFT JOIN derived.blocks AS block ON block.number = cursor.number
""")  # noqa: S608 — put together from the constants above


async def read_figures(database: Database, *, timeout_seconds: float) -> SystemFigures:
    """Raises SQLAlchemyError, also when the server ended the query for its time."""
    async with database.read() as session:
        await set_statement_timeout(session, timeout_seconds)
        return await query_figures(session)


async def set_statement_timeout(session: AsyncSession, timeout_seconds: float) -> None:
    """Have the server end any statement of this transaction that takes longer."""
    await session.execute(text(f"SET LOCAL statement_timeout = {round(timeout_seconds * 1_000)}"))


async def query_figures(session: AsyncSession) -> SystemFigures:
    """The same in the caller's snapshot."""
    row = (await session.execute(_FIGURES)).one()
    depths = {each["priority"]: each for each in row.outbox}
    unapplied = {each["status"]: each["logs"] for each in row.unapplied}
    return SystemFigures(
        now=row.now,
        recorded=None if row.number is None else LastRecordedBlock(row.number, row.timestamp, row.recorded_at),
        leases={each["name"]: LeaseFigures(**each) for each in row.leases},
        outbox=tuple(_depth(priority, depths.get(priority)) for priority in OutboxPriority),
        dead_lettered=row.dead_lettered,
        quarantined=unapplied.get(LogStatus.QUARANTINED, 0),
        skipped=unapplied.get(LogStatus.SKIPPED, 0),
        risk=dict.fromkeys(Severity, 0) | {Severity(each["severity"]): each["events"] for each in row.risk},
        intents=dict.fromkeys(OPEN_INTENTS, 0) | {IntentStatus(each["status"]): each["intents"] for each in row.intents},
        wallets=tuple(_wallet(each) for each in row.wallets),
        tickets_overdue=row.tickets_overdue,
        reconciliation=LastReconciliation(**row.reconciliation[0]) if row.reconciliation else None,
    )


def _depth(priority: OutboxPriority, found: Mapping[str, Any] | None) -> QueueDepth:
    if found is None:
        return QueueDepth(priority, 0, 0.0)
    return QueueDepth(priority, found["depth"], max(float(found["age_seconds"]), 0.0))


def _wallet(found: Mapping[str, Any]) -> WalletFigures:
    balance = found["balance_wei"]
    return WalletFigures(
        found["name"], found["has_fault"], None if balance is None else int(balance), found["seen_seconds_ago"]
    )
