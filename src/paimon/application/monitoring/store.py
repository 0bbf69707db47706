"""Storage of retention (removal of expired rows, the record of each run) and of the checks of the signer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.audit.entry import AuditRetention
from paimon.infrastructure.database.models.ops.retention import RetentionRunRow
from paimon.infrastructure.database.models.ops.signer_check import SignerCheckRow
from paimon.infrastructure.database.sessions import WriteSession

_WORKER: Final = "worker"
_REMOVE_EXPIRED: Final = text("SELECT ops.remove_expired(:series, :before, :rows_max)")
_REMOVE_PAYLOADS: Final = text("SELECT ops.remove_audit_payloads(:series, :before, :rows_max)")
_AUDIT_PAYLOADS: Final = {f"audit_payloads_{retention.lower()}": retention.value for retention in AuditRetention}


@dataclass(frozen=True, slots=True)
class RetentionResult:
    """Result of one run for one series; not `complete` when its transactions were used up before all expired rows."""

    series: str
    retention_start: datetime
    rows: int
    complete: bool


@dataclass(frozen=True, slots=True)
class RetentionRun:
    """The last run for one series; `rows_removed` counts all runs so far."""

    series: str
    ran_at: datetime
    retention_start: datetime
    rows_removed: int
    complete: bool


@dataclass(frozen=True, slots=True)
class SignerCheck:
    """How the worker last found the signer. `failure` is None when it answered; `keys` are those of its last answer."""

    checked_at: datetime
    failure: str | None
    keys: list[dict[str, Any]]


async def record_signer_check(session: WriteSession, check: SignerCheck) -> None:
    """Record the worker's newest check of the signer."""
    values = {"checked_at": check.checked_at, "failure": check.failure, "keys": check.keys}
    statement = insert(SignerCheckRow).values(caller=_WORKER, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["caller"], set_=values))


async def find_signer_check(session: AsyncSession) -> SignerCheck | None:
    """Find the newest check of the signer; None when no worker has asked it yet."""
    row = await session.get(SignerCheckRow, _WORKER)
    return None if row is None else SignerCheck(row.checked_at, row.failure, row.keys)


async def remove_expired(session: WriteSession, series: str, *, before: datetime, rows_max: int) -> int:
    """Remove up to `rows_max` rows of a series, or payloads of the audit trail, from before a time; return how many."""
    remove = _REMOVE_PAYLOADS if series in _AUDIT_PAYLOADS else _REMOVE_EXPIRED
    values: dict[str, Any] = {"series": _AUDIT_PAYLOADS.get(series, series), "before": before, "rows_max": rows_max}
    return int((await session.execute(remove, values)).scalar_one())


async def record_run(session: WriteSession, result: RetentionResult, *, ran_at: datetime) -> None:
    """Record a run as the last one of its series, and add its rows to the total."""
    statement = insert(RetentionRunRow).values(
        series=result.series,
        ran_at=ran_at,
        retention_start=result.retention_start,
        rows_removed=result.rows,
        complete=result.complete,
    )
    new = statement.excluded
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


async def list_retention_runs(session: AsyncSession) -> list[RetentionRun]:
    """List the last run for each series, by the series' name."""
    rows = await session.scalars(select(RetentionRunRow).order_by(RetentionRunRow.series))
    return [RetentionRun(row.series, row.ran_at, row.retention_start, row.rows_removed, row.complete) for row in rows]
