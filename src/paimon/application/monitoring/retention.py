"""Retention of time series: expired rows are removed in bounded transactions, by a function of the owner.

A row may be removed when something that is kept for longer says the same. The series' columns are in the `fund_snapshot`
observations, which are evidence and stay. An official NAV is in `ops.nav_points`. The listener's batches and the risk
indicators are summed up by the hour. So neither a replay nor an attribution of NAV, of any time, needs a row that is removed
here. An entry of the audit trail stays, with the hash of its payload.

The application owns none of the tables and may delete from none. `ops.remove_expired` (created by the first migration) may,
within bounds of its own, and removes whole chunks where the table has them.
"""

from datetime import datetime

import structlog

from paimon.application.monitoring.store import RetentionResult, record_run, remove_expired
from paimon.domain.operations.retention import retention_start
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database
from paimon.settings import RetentionSettings

log = structlog.get_logger(__name__)


def retention_days(options: RetentionSettings) -> dict[str, int]:
    """Return the retention of every series that has one."""
    return {
        "daily_snapshots": options.daily_snapshots_days,
        "asset_holdings_snapshots": options.asset_holdings_snapshots_days,
        "event_processing_logs": options.event_processing_logs_days,
        "risk_metrics_series": options.risk_metrics_series_days,
        "audit_payloads_low": options.audit_low_days,
        "audit_payloads_medium": options.audit_medium_days,
        "audit_payloads_high": options.audit_high_days,
    }


async def apply_retention(database: Database, options: RetentionSettings) -> list[RetentionResult]:
    """Remove what is expired by the database's clock; a second run finds nothing to remove."""
    async with database.read() as session:
        now = await database_now(session)
    results = []
    for series, days in retention_days(options).items():
        result = await _remove(database, series, before=retention_start(now, days=days), options=options)
        async with database.write() as session:
            await record_run(session, result, ran_at=now)
        results.append(result)
        log_level = log.info if result.complete else log.warning
        log_level(
            "retention.applied",
            series=series,
            retention_start=str(result.retention_start),
            rows=result.rows,
            complete=result.complete,
        )
    return results


async def _remove(database: Database, series: str, *, before: datetime, options: RetentionSettings) -> RetentionResult:
    rows = 0
    for _ in range(options.batches_max):
        async with database.write() as session:
            removed = await remove_expired(session, series, before=before, rows_max=options.batch_rows_max)
        if removed == 0:
            return RetentionResult(series, before, rows, complete=True)
        rows += removed
    return RetentionResult(series, before, rows, complete=False)
