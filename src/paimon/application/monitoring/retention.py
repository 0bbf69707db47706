"""Removing rows of time series whose time is over: in bounded transactions, by the owner's function, told as a fact.

What may go is what something kept for longer says too: the series' columns are in the `fund_snapshot` observations, which
are evidence and stay; an official NAV is in `ops.nav_points`; the listener's batches are summed up by the hour. So neither
a replay nor an explanation of NAV, of any time, needs a row that is removed here.

The application owns none of the tables and may delete from none. `ops.remove_expired` (made by the first migration) may,
within bounds of its own, and takes whole chunks where the table has them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.operations.retention import retention_start
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.retention import RetentionRunRow
from paimon.infrastructure.database.sessions import Database
from paimon.settings import RetentionSettings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RetentionResult:
    """What one run did to one series; not `complete` when its transactions were used up before its rows were gone."""

    series: str
    retention_start: datetime
    rows: int
    complete: bool


_REMOVE: Final = text("SELECT ops.remove_expired(:series, :before, :rows_max)")


def retention_days(options: RetentionSettings) -> dict[str, int]:
    """Every series that retention is about."""
    return {
        "daily_snapshots": options.daily_snapshots_days,
        "asset_holdings_snapshots": options.asset_holdings_snapshots_days,
        "event_processing_logs": options.event_processing_logs_days,
    }


async def apply_retention(database: Database, options: RetentionSettings) -> list[RetentionResult]:
    """Remove what is due by the database's clock; running it again finds nothing to do."""
    async with database.read() as session:
        now = await database_now(session)
    done = []
    for series, days in retention_days(options).items():
        removed = await _remove(database, series, before=retention_start(now, days=days), options=options)
        await _record_run(database, removed, ran_at=now)
        done.append(removed)
        log_level = log.info if removed.complete else log.warning
        log_level(
            "retention.applied",
            series=series,
            retention_start=str(removed.retention_start),
            rows=removed.rows,
            complete=removed.complete,
        )
    return done


@dataclass(frozen=True, slots=True)
class RetentionRun:
    """The last run for one series; `rows_removed` counts all runs so far."""

    series: str
    ran_at: datetime
    retention_start: datetime
    rows_removed: int
    complete: bool


async def list_retention_runs(session: AsyncSession) -> list[RetentionRun]:
    """List the last run for each series, by the series' name."""
    rows = await session.scalars(select(RetentionRunRow).order_by(RetentionRunRow.series))
    return [RetentionRun(row.series, row.ran_at, row.retention_start, row.rows_removed, row.complete) for row in rows]


async def _remove(database: Database, series: str, *, before: datetime, options: RetentionSettings) -> RetentionResult:
    values: dict[str, Any] = {"series": series, "before": before, "rows_max": options.batch_rows_max}
    rows = 0
    for _ in range(options.batches_max):
        async with database.write() as session:
            removed = (await session.execute(_REMOVE, values)).scalar_one()
        if removed == 0:
            return RetentionResult(series, before, rows, complete=True)
        rows += removed
    return RetentionResult(series, before, rows, complete=False)


async def _record_run(database: Database, removed: RetentionResult, *, ran_at: datetime) -> None:
    statement = insert(RetentionRunRow).values(
        series=removed.series,
        ran_at=ran_at,
        retention_start=removed.retention_start,
        rows_removed=removed.rows,
        complete=removed.complete,
    )
    new = statement.excluded
    async with database.write() as session:
        await session.execute(
            statement.on_conflict_do_update(
                index_elements=["series"],
                set_={
                    "ran_at": new.ran_at,
                    "retention_start": new.retention_start,
                    "rows_removed": RetentionRunRow.rows_removed + new.rows_removed,
                    "complete": new.complete,
                },
            )
        )
