"""Storage of the fund's snapshots and of the NAV points that are decided for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, exists, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.nav.series import asset_rows, fund_row
from paimon.application.nav.stored_snapshot import from_stored_json, to_stored_json
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import NavPerShare
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.risk.nav_publication import NavStatus
from paimon.domain.vault.fund_snapshot import DEFAULT_ASSET_DECIMALS, FundSnapshot, RoleAssignment
from paimon.infrastructure.database.models.derived import ObservationRow, RawLogRow, RoleChangeRow
from paimon.infrastructure.database.models.derived.snapshot import AssetHoldingSnapshotRow, DailySnapshotRow
from paimon.infrastructure.database.models.ops.nav import NavPointRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.reconciliation import ReconciliationRow
from paimon.infrastructure.database.sessions import WriteSession

KEPT_KIND: Final = "fund_snapshot"
LATEST_KIND: Final = "fund_latest"
FUND_SUBJECT: Final = "fund"

KEPT_SNAPSHOTS: Final = (ObservationRow.kind == KEPT_KIND, ObservationRow.subject == FUND_SUBJECT)
"""The conditions that select the kept snapshots among the observations."""


async def store_snapshot(session: WriteSession, snapshot: FundSnapshot, *, kept: bool) -> None:
    """Write a snapshot as an observation, in place of the latest one; a kept one also as rows of the time series."""
    at = snapshot.at
    observation = insert(ObservationRow).values(
        kind=KEPT_KIND if kept else LATEST_KIND,
        subject=FUND_SUBJECT,
        block_number=at.number,
        block_hash=at.hash,
        block_timestamp=at.timestamp,
        data=to_stored_json(snapshot),
    )
    await session.execute(
        delete(ObservationRow).where(
            ObservationRow.kind == LATEST_KIND, ObservationRow.subject == FUND_SUBJECT, ObservationRow.block_number < at.number
        )
    )
    await session.execute(observation.on_conflict_do_nothing())
    if kept:
        await session.execute(insert(DailySnapshotRow).values(fund_row(snapshot)).on_conflict_do_nothing())
        if rows := asset_rows(snapshot):
            await session.execute(insert(AssetHoldingSnapshotRow).values(rows).on_conflict_do_nothing())


_NEWEST_SNAPSHOT: Final = text("""
    SELECT data
      FROM ((SELECT data, block_number FROM derived.observations
              WHERE kind = 'fund_snapshot' AND subject = 'fund' ORDER BY block_number DESC LIMIT 1)
            UNION ALL
            (SELECT data, block_number FROM derived.observations
              WHERE kind = 'fund_latest' AND subject = 'fund' ORDER BY block_number DESC LIMIT 1)) AS newest
     ORDER BY block_number DESC LIMIT 1
""")


async def find_newest_snapshot(session: AsyncSession) -> FundSnapshot | None:
    """Return the last snapshot, kept or not."""
    data: dict[str, Any] | None = (await session.execute(_NEWEST_SNAPSHOT)).scalar()
    return None if data is None else from_stored_json(data)


async def find_asset_decimals(session: AsyncSession) -> int:
    """Return the decimals of the vault's asset as the newest snapshot has them."""
    newest = await find_newest_snapshot(session)
    return DEFAULT_ASSET_DECIMALS if newest is None else newest.asset_decimals


async def find_kept_snapshot(session: AsyncSession, block: int | None = None) -> FundSnapshot | None:
    """Return the newest kept snapshot, of all or at or before a block."""
    query = select(ObservationRow.data).where(*KEPT_SNAPSHOTS)
    if block is not None:
        query = query.where(ObservationRow.block_number <= block)
    data: dict[str, Any] | None = (await session.execute(query.order_by(ObservationRow.block_number.desc()).limit(1))).scalar()
    return None if data is None else from_stored_json(data)


async def find_kept_snapshot_at(session: AsyncSession, moment: datetime) -> FundSnapshot | None:
    """Return the newest kept snapshot at or before a moment."""
    query = select(ObservationRow.data).where(*KEPT_SNAPSHOTS, ObservationRow.block_timestamp <= moment)
    data: dict[str, Any] | None = (await session.execute(query.order_by(ObservationRow.block_number.desc()).limit(1))).scalar()
    return None if data is None else from_stored_json(data)


async def list_kept_blocks(session: AsyncSession, first: int, last: int) -> list[int]:
    """Return the blocks of the kept snapshots in a range, in order."""
    query = select(ObservationRow.block_number).where(*KEPT_SNAPSHOTS, ObservationRow.block_number.between(first, last))
    return list(await session.scalars(query.order_by(ObservationRow.block_number)))


async def load_kept_snapshots(session: AsyncSession, blocks: Sequence[int]) -> list[FundSnapshot]:
    """Return the kept snapshots of these blocks, in order."""
    query = select(ObservationRow.data).where(*KEPT_SNAPSHOTS, ObservationRow.block_number.in_(blocks))
    return [from_stored_json(data) for data in await session.scalars(query.order_by(ObservationRow.block_number))]


async def is_snapshot_due(session: AsyncSession) -> bool:
    """Return whether an event was applied after the newest kept snapshot, or no snapshot was ever kept."""
    newest = select(func.max(ObservationRow.block_number)).where(*KEPT_SNAPSHOTS)
    block = (await session.execute(newest)).scalar()
    if block is None:
        return True
    applied = exists().where(RawLogRow.block_number > block, RawLogRow.status == LogStatus.APPLIED)
    return bool((await session.execute(select(applied))).scalar())


async def list_granted_roles(session: AsyncSession) -> list[RoleAssignment]:
    """Return every role that an account was ever granted, whether it still has it or not."""
    granted = select(RoleChangeRow.contract, RoleChangeRow.role, RoleChangeRow.account).distinct()
    return sorted(
        RoleAssignment(row.contract, Hash32(row.role), Address(row.account)) for row in await session.execute(granted)
    )


async def is_message_scheduled(session: AsyncSession, kind: str) -> bool:
    """Return whether an untried outbox message of this kind waits for a later time."""
    scheduled = exists().where(
        OutboxMessageRow.kind == kind,
        OutboxMessageRow.done_at.is_(None),
        OutboxMessageRow.dead_lettered_at.is_(None),
        OutboxMessageRow.available_at > func.now(),
        OutboxMessageRow.attempts == 0,
    )
    return bool((await session.execute(select(scheduled))).scalar())


def schedule_message(session: WriteSession, kind: str, *, pause_seconds: float) -> None:
    """Add an outbox message about the fund that becomes due after a pause."""
    session.add(
        OutboxMessageRow(
            kind=kind,
            aggregate_id=FUND_SUBJECT,
            payload={},
            priority=OutboxPriority.NORMAL,
            available_at=func.now() + timedelta(seconds=pause_seconds),
        )
    )


@dataclass(frozen=True, slots=True)
class NavPoint:
    """NAV of one kept snapshot, published or withheld with a reason."""

    block_number: int
    time: datetime
    nav_per_share: NavPerShare
    status: NavStatus
    withheld_reason: str | None


async def find_newest_nav_point(session: AsyncSession, *, until: int | None = None) -> NavPoint | None:
    """Return the last decided NAV point, of all or at or before a block."""
    query = (
        select(NavPointRow).where(NavPointRow.status != NavStatus.ORPHANED).order_by(NavPointRow.block_number.desc()).limit(1)
    )
    row = (await session.scalars(query if until is None else query.where(NavPointRow.block_number <= until))).one_or_none()
    if row is None:
        return None
    return NavPoint(row.block_number, row.time, NavPerShare(row.nav_per_share), row.status, row.withheld_reason)


async def find_newest_reconciliation(session: AsyncSession) -> ReconciliationRow | None:
    """Return the last reconciliation whose block is still recorded."""
    query = (
        select(ReconciliationRow)
        .where(~ReconciliationRow.orphaned)
        .order_by(ReconciliationRow.block_number.desc(), ReconciliationRow.id.desc())
    )
    return (await session.scalars(query.limit(1))).one_or_none()


_ADD_NAV_POINTS: Final = text("""
    INSERT INTO ops.nav_points (block_number, block_hash, time, net_assets, effective_supply, nav_per_share,
                                status, withheld_reason, reconciliation_id, published_at)
    SELECT snapshot.block_number, snapshot.block_hash, snapshot.time, snapshot.net_assets,
           snapshot.total_supply - snapshot.locked_shares, snapshot.nav_per_share,
           CASE WHEN decision.reason IS NULL THEN 'PUBLISHED' ELSE 'WITHHELD' END, decision.reason, :reconciliation,
           CASE WHEN decision.reason IS NULL THEN now() END
      FROM derived.daily_snapshots AS snapshot
     CROSS JOIN LATERAL (
           SELECT coalesce(max(CAST(data ->> 'pendingValue' AS numeric)), 0) AS value FROM derived.observations
            WHERE kind = 'fund_snapshot' AND subject = 'fund' AND block_hash = snapshot.block_hash) AS pending
     CROSS JOIN LATERAL (
           SELECT CASE WHEN NOT snapshot.tier_values_match THEN 'our valuation of a tier is not the contract''s at this block'
                       WHEN pending.value > 0 THEN
                            format('%s in delayed settlements (totalPendingValue) is not counted at this block', pending.value)
                       ELSE coalesce(CAST(:reason AS text),
                                     (SELECT format('untrusted %s: %s', subject, observed) FROM ops.risk_events
                                       WHERE kind = 'PRICE_UNTRUSTED' AND first_seen_block <= snapshot.block_number
                                         AND coalesce(resolved_block > snapshot.block_number, true)
                                       ORDER BY subject LIMIT 1)) END AS reason) AS decision
     WHERE snapshot.block_number <= :block
       AND NOT EXISTS (SELECT 1 FROM ops.nav_points AS decided WHERE decided.block_number = snapshot.block_number
                         AND decided.block_hash = snapshot.block_hash)
        ON CONFLICT DO NOTHING
    RETURNING status
""")

_RELEASE_NAV_POINTS: Final = text("""
    UPDATE ops.nav_points AS point
       SET status = 'PUBLISHED', published_at = now(), decided_at = now(), reconciliation_id = :reconciliation
      FROM derived.daily_snapshots AS snapshot
     WHERE point.status = 'WITHHELD' AND point.block_number <= :block
       AND snapshot.block_number = point.block_number AND snapshot.time = point.time AND snapshot.tier_values_match
       AND NOT EXISTS (SELECT FROM ops.risk_events
                        WHERE kind = 'PRICE_UNTRUSTED' AND first_seen_block <= point.block_number
                          AND coalesce(resolved_block > point.block_number, true))
       AND NOT EXISTS (SELECT FROM derived.observations
                        WHERE kind = 'fund_snapshot' AND subject = 'fund' AND block_hash = snapshot.block_hash
                          AND CAST(data ->> 'pendingValue' AS numeric) > 0)
    RETURNING point.status
""")


async def add_nav_points(
    session: WriteSession, reconciliation: ReconciliationRow, *, withheld_reason: str | None
) -> list[NavStatus]:
    """Add a point for every undecided snapshot up to the reconciliation's block; return the status of each."""
    values = {"block": reconciliation.block_number, "reconciliation": reconciliation.id, "reason": withheld_reason}
    return [NavStatus(status) for status in (await session.execute(_ADD_NAV_POINTS, values)).scalars()]


async def release_nav_points(session: WriteSession, reconciliation: ReconciliationRow) -> int:
    """Publish the withheld points up to the reconciliation's block; return how many."""
    values = {"block": reconciliation.block_number, "reconciliation": reconciliation.id}
    return len((await session.execute(_RELEASE_NAV_POINTS, values)).scalars().all())
