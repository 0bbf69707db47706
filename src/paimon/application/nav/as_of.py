"""Answers as of now or as of a block: at which block they are true, and what is stored of it.

    what follows from logs (holders, transactions)      exactly, at any recorded block
    what only a read tells (assets, tiers, fees, NAV)   at the block of a snapshot: the newest kept one at or before
                                                        the block asked for; of now, the newest of all

So an answer always says which block it is true at, and that may be an earlier one than was asked for. It is never a later.
"""

from dataclasses import dataclass

import orjson
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.common.chain_position import chain_position
from paimon.application.nav.overview import (
    SnapshotNotFound,
    find_kept_snapshot,
    find_newest_nav_point,
    find_newest_snapshot,
    overview_document,
)
from paimon.domain.kernel.chain import BlockStamp, Hash32
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.errors import InvalidRequest, Unavailable
from paimon.infrastructure.database.models.derived import BlockRow
from paimon.infrastructure.database.sessions import Database, ReadSession


class NothingRecordedYet(Unavailable):
    """The books have not begun, or the fund was never read: the listener and a worker must be running."""


class BlockNotRecorded(InvalidRequest):
    """The block lies before the fund's first one, or has not been recorded yet; the message says which have."""

    def __init__(self, message: str, field: str = "block") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class RecordedRange:
    """The first recorded block, and the last."""

    first: int
    cursor: BlockStamp


_FIRST = text("SELECT min(number) FROM derived.blocks")


async def read_recorded_range(session: ReadSession) -> RecordedRange | None:
    """None before the listener's first batch."""
    cursor = await chain_position(session)
    first = (await session.execute(_FIRST)).scalar()
    return None if cursor is None or first is None else RecordedRange(first, cursor)


async def get_recorded_block(session: ReadSession, block: int | None) -> BlockStamp:
    """The block asked for, or the last recorded one.

    Raises:
        NothingRecordedYet, BlockNotRecorded.
    """
    if (recorded := await read_recorded_range(session)) is None:
        raise NothingRecordedYet("No block of the fund has been recorded yet; the listener must be running. Try again shortly.")
    if block is None:
        return recorded.cursor
    if not recorded.first <= block <= recorded.cursor.number:
        raise BlockNotRecorded(f"block {block} is not recorded; blocks {recorded.first} to {recorded.cursor.number} are")
    row = (
        await session.scalars(select(BlockRow).where(BlockRow.number <= block).order_by(BlockRow.number.desc()).limit(1))
    ).one()
    return BlockStamp(row.number, Hash32(row.hash), row.timestamp)


async def snapshot_as_of(session: ReadSession, block: int | None) -> FundSnapshot:
    """The newest snapshot, or the newest kept one at or before a recorded block.

    Raises:
        NothingRecordedYet, BlockNotRecorded, SnapshotNotFound.
    """
    if block is None:
        if (newest := await find_newest_snapshot(session)) is None:
            raise NothingRecordedYet(
                "The fund's first snapshot has not been taken yet; a worker must be running. Try again shortly."
            )
        return newest
    await get_recorded_block(session, block)
    if (kept := await find_kept_snapshot(session, block)) is None:
        raise SnapshotNotFound(f"there is no snapshot of the fund at or before block {block}{await _first_kept(session)}")
    return kept


_FIRST_KEPT = text("SELECT min(block_number) FROM derived.observations WHERE kind = 'fund_snapshot' AND subject = 'fund'")


async def _first_kept(session: AsyncSession) -> str:
    first = (await session.execute(_FIRST_KEPT)).scalar()
    return "" if first is None else f"; the first is of block {first}"


async def read_overview_at(database: Database, block: int) -> bytes:
    """The encoded overview of the newest kept snapshot at or before the block, with the official NAV of that time.

    Raises:
        NothingRecordedYet, BlockNotRecorded, SnapshotNotFound.
    """
    async with database.read() as session:
        snapshot = await snapshot_as_of(session, block)
        point = await find_newest_nav_point(session, until=block)
    return orjson.dumps(overview_document(snapshot, point))
