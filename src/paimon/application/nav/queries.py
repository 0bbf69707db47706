"""Reads of what is recorded: blocks, the kept snapshots of a range, and the history of NAV."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.common.chain_position import chain_position
from paimon.application.nav.store import KEPT_SNAPSHOTS
from paimon.domain.kernel.chain import BlockStamp, Hash32
from paimon.infrastructure.database.models.derived import BlockRow, ObservationRow
from paimon.infrastructure.database.sessions import ReadSession


@dataclass(frozen=True, slots=True)
class RecordedRange:
    """The first recorded block and the last one."""

    first: int
    cursor: BlockStamp


_FIRST_BLOCK: Final = text("SELECT min(number) FROM derived.blocks")


async def read_recorded_range(session: ReadSession) -> RecordedRange | None:
    """Return the recorded range; None before the listener's first batch."""
    cursor = await chain_position(session)
    first = (await session.execute(_FIRST_BLOCK)).scalar()
    return None if cursor is None or first is None else RecordedRange(first, cursor)


async def get_block_at_or_below(session: ReadSession, number: int) -> BlockStamp:
    """Return the last recorded block at or below a number; the caller knows that there is one."""
    query = select(BlockRow).where(BlockRow.number <= number).order_by(BlockRow.number.desc()).limit(1)
    row = (await session.scalars(query)).one()
    return BlockStamp(row.number, Hash32(row.hash), row.timestamp)


@dataclass(frozen=True, slots=True)
class KeptBlock:
    """The block of a kept snapshot."""

    number: int
    timestamp: datetime


async def find_first_kept_block(session: AsyncSession) -> KeptBlock | None:
    """Return the block of the fund's first kept snapshot."""
    query = select(ObservationRow.block_number, ObservationRow.block_timestamp).where(*KEPT_SNAPSHOTS)
    row = (await session.execute(query.order_by(ObservationRow.block_number).limit(1))).one_or_none()
    return None if row is None else KeptBlock(row.block_number, row.block_timestamp)


async def find_kept_block(session: AsyncSession, *, block: int | None, moment: datetime | None) -> int | None:
    """Return the block of the newest kept snapshot at or before a block, a time, or both; of all without either."""
    query = select(ObservationRow.block_number).where(*KEPT_SNAPSHOTS).order_by(ObservationRow.block_number.desc()).limit(1)
    if block is not None:
        query = query.where(ObservationRow.block_number <= block)
    if moment is not None:
        query = query.where(ObservationRow.block_timestamp <= moment)
    return (await session.execute(query)).scalar()


# The buckets come first, then the snapshots of those alone, within the same time. Where old chunks are compressed, a join that
# the planner takes for one look-up per point would decompress them all for each.
_HISTORY: Final = text("""
    SELECT shown.*, snapshot.contract_share_price, snapshot.contract_total_assets
      FROM (SELECT DISTINCT ON (bucket) date_trunc(:unit, time, 'UTC') AS bucket, time, block_number,
                   net_assets, effective_supply, nav_per_share
              FROM ops.nav_points
             WHERE status = 'PUBLISHED' AND time >= :start AND time < :end
             ORDER BY bucket, block_number DESC
             LIMIT :limit) AS shown
      LEFT JOIN derived.daily_snapshots AS snapshot
             ON snapshot.time = shown.time AND snapshot.block_number = shown.block_number
            AND snapshot.time >= :start AND snapshot.time < :end
     ORDER BY shown.bucket
""")

_WITHHELD: Final = text("""
    SELECT count(*) AS points, min(time) AS since,
           (array_agg(withheld_reason ORDER BY block_number DESC))[1] AS reason
      FROM ops.nav_points WHERE status = 'WITHHELD'
""")

_NEWEST_TIME: Final = text("SELECT max(time) FROM ops.nav_points WHERE status = 'PUBLISHED'")


async def list_history_rows(
    session: ReadSession, *, unit: str, start: datetime, end: datetime, limit: int
) -> Sequence[Row[Any]]:
    """Return the last published point of each bucket of `unit` in a range, with its snapshot's figures of the contract."""
    return (await session.execute(_HISTORY, {"unit": unit, "start": start, "end": end, "limit": limit})).all()


@dataclass(frozen=True, slots=True)
class WithheldPoints:
    """The points that are withheld now: how many, since when, and the reason of the last one."""

    count: int
    since: datetime
    reason: str


async def find_withheld_points(session: ReadSession) -> WithheldPoints | None:
    """Return the withheld points; None when every point is published."""
    row = (await session.execute(_WITHHELD)).one()
    return WithheldPoints(row.points, row.since.astimezone(UTC), row.reason) if row.points else None


async def find_newest_published_time(session: ReadSession) -> datetime | None:
    """Return the time of the last published point."""
    newest: datetime | None = (await session.execute(_NEWEST_TIME)).scalar()
    return newest
