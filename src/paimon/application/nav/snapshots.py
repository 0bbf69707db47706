"""Snapshots: the fund read at the last recorded final block, kept as evidence, and shown as the overview.

Three things ask for one: the clock (each minute), events that move value (the FUND reaction) and a person. All take the
same read. What becomes of it differs:

    kept     an observation `fund_snapshot`, with its rows in the time series: the first of each hour, any after events,
             any that moves net assets or shares, any that a person asked for
    latest   an observation `fund_latest`, which the next one replaces: what the overview shows between two kept ones

A burst of events gives one snapshot: a reaction that comes within the pause after the last is put off to its end, and by
then one read covers all that was recorded. Whether one is due is asked of the books (events after the newest kept
snapshot), not of the message, so that order and repetition cannot matter.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.common.chain_position import chain_position
from paimon.application.common.recorded_block import lock_recorded_block
from paimon.application.common.topics import RECONCILE, WHOLE_FUND
from paimon.application.nav.attribution import report_unexplained
from paimon.application.nav.overview import find_newest_snapshot, publish_overview
from paimon.application.nav.series import asset_rows, fund_row
from paimon.application.nav.snapshot_json import from_json, to_json
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import Bps
from paimon.domain.vault.fund_snapshot import FundSnapshot, RoleAssignment, should_keep_snapshot
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.blockchain.contracts.snapshot import read_snapshot
from paimon.infrastructure.database.models.derived import LogStatus, ObservationRow, RawLogRow, RoleChangeRow
from paimon.infrastructure.database.models.derived.snapshot import AssetHoldingSnapshotRow, DailySnapshotRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow, OutboxPriority
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)

KEPT_KIND: Final = "fund_snapshot"
LATEST_KIND: Final = "fund_latest"
FUND_SUBJECT: Final = "fund"
_PAUSE_KEY: Final = "paimon:snapshot:pause"


@dataclass(frozen=True, slots=True)
class SnapshotResult:
    """A snapshot that was read, and whether it is kept as history."""

    snapshot: FundSnapshot
    kept: bool


async def take_snapshot(
    database: Database, contracts: FundContracts, redis: Redis, *, material: Bps, keep: bool = False
) -> SnapshotResult | None:
    """Read the fund at the last recorded final block, store and show it; None before the listener's first batch, and where a
    recovery gave the block up while it was read.

    Raises:
        CallReverted, RpcUnavailable, RpcError.
    """
    async with database.read() as session:
        at = await chain_position(session)
        previous_kept_number = await find_newest_kept_snapshot(session)
        previous_snapshot = await find_newest_snapshot(session)
        due = keep or await is_snapshot_due(session)
        roles = await _list_granted_roles(session)
    if at is None:
        return None
    snapshot = await read_snapshot(contracts, at=at, requested_roles=roles)
    kept = due or previous_kept_number == snapshot or should_keep_snapshot(previous_kept_number, snapshot, material=material)
    async with database.write() as session:
        if not await lock_recorded_block(session, at):
            return None
        await _store(session, snapshot, kept=kept)
        if kept and not snapshot.tier_values_match:
            await outbox.add(session, RECONCILE, WHOLE_FUND, priority=OutboxPriority.HIGH, payload={"block": at.number})
    await publish_overview(database, redis, previous=previous_snapshot)
    if kept:
        await report_unexplained(database, snapshot, material=material)
    if not snapshot.tier_values_match:
        log.error("fund.tier_values_differ", block=at.number, ours=[str(each.value) for each in snapshot.assets])
    if snapshot.stale_cache:
        log.info("fund.contract_cache_stale", block=at.number, cached=str(snapshot.contract.asset_value))
    log.info("fund.snapshot_taken", block=at.number, net_assets=str(snapshot.net_assets), kept=kept)
    return SnapshotResult(snapshot, kept)


async def snapshot_after_events(
    database: Database, contracts: FundContracts, redis: Redis, *, material: Bps, pause_seconds: float
) -> None:
    """Take one if events were recorded since the last, unless one was taken a moment ago: then `defer` brings it later."""
    async with database.read() as session:
        due = await is_snapshot_due(session)
    if due and await _begin_pause(redis, pause_seconds):
        await take_snapshot(database, contracts, redis, material=material)


async def defer_if_due(session: WriteSession, kind: str, *, pause_seconds: float) -> None:
    """Where events still wait for their snapshot, leave one reaction for the end of the pause, however many ask for it."""
    if not await is_snapshot_due(session):
        return
    waiting = exists().where(
        OutboxMessageRow.kind == kind,
        OutboxMessageRow.done_at.is_(None),
        OutboxMessageRow.dead_lettered_at.is_(None),
        OutboxMessageRow.available_at > func.now(),
        OutboxMessageRow.attempts == 0,
    )
    if (await session.execute(select(waiting))).scalar():
        return
    session.add(
        OutboxMessageRow(
            kind=kind,
            aggregate_id=FUND_SUBJECT,
            payload={},
            priority=OutboxPriority.NORMAL,
            available_at=func.now() + timedelta(seconds=pause_seconds),
        )
    )


async def is_snapshot_due(session: AsyncSession) -> bool:
    """Whether something was recorded of the fund after the newest kept snapshot, or none was ever kept."""
    newest = select(func.max(ObservationRow.block_number)).where(
        ObservationRow.kind == KEPT_KIND, ObservationRow.subject == FUND_SUBJECT
    )
    block = (await session.execute(newest)).scalar()
    if block is None:
        return True
    recorded = exists().where(RawLogRow.block_number > block, RawLogRow.status == LogStatus.APPLIED)
    return bool((await session.execute(select(recorded))).scalar())


async def find_newest_kept_snapshot(session: AsyncSession) -> FundSnapshot | None:
    """The last snapshot that is part of the history."""
    query = (
        select(ObservationRow.data)
        .where(ObservationRow.kind == KEPT_KIND, ObservationRow.subject == FUND_SUBJECT)
        .order_by(ObservationRow.block_number.desc())
        .limit(1)
    )
    data: dict[str, Any] | None = (await session.execute(query)).scalar()
    return None if data is None else from_json(data)


async def _list_granted_roles(session: AsyncSession) -> list[RoleAssignment]:
    given = select(RoleChangeRow.contract, RoleChangeRow.role, RoleChangeRow.account).distinct()
    return sorted(RoleAssignment(row.contract, Hash32(row.role), Address(row.account)) for row in await session.execute(given))


async def _begin_pause(redis: Redis, pause_seconds: float) -> bool:
    """Also begins the next pause. Without Redis there is no pause: too many snapshots are better than none."""
    try:
        return bool(await redis.set(_PAUSE_KEY, 1, nx=True, px=max(int(pause_seconds * 1000), 1)))
    except RedisError as error:
        log.warning("snapshot.pause_unknown", reason=type(error).__name__)
        return True


async def _store(session: WriteSession, snapshot: FundSnapshot, *, kept: bool) -> None:
    at = snapshot.at
    stored = insert(ObservationRow).values(
        kind=KEPT_KIND if kept else LATEST_KIND,
        subject=FUND_SUBJECT,
        block_number=at.number,
        block_hash=at.hash,
        block_timestamp=at.timestamp,
        data=to_json(snapshot),
    )
    await session.execute(
        delete(ObservationRow).where(
            ObservationRow.kind == LATEST_KIND, ObservationRow.subject == FUND_SUBJECT, ObservationRow.block_number < at.number
        )
    )
    await session.execute(stored.on_conflict_do_nothing())
    if kept:
        await session.execute(insert(DailySnapshotRow).values(fund_row(snapshot)).on_conflict_do_nothing())
        if rows := asset_rows(snapshot):
            await session.execute(insert(AssetHoldingSnapshotRow).values(rows).on_conflict_do_nothing())
