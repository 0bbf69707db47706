"""Answers as of now or as of a block: which block an answer is true at, and what is stored of it.

    what follows from logs (holders, transactions)       exactly, at any recorded block
    what only a read shows (assets, tiers, fees, NAV)    at the block of a snapshot: the newest kept one at or before
                                                         the requested block; for now, the newest of all

So an answer always names the block that it is true at. That block may be earlier than the requested one, and is never later.
"""

from paimon.application.common.chain_position import NothingRecorded
from paimon.application.nav.queries import find_first_kept_block, get_block_at_or_below, read_recorded_range
from paimon.application.nav.store import find_kept_snapshot, find_newest_snapshot
from paimon.application.nav.valuation_failure import find_valuation_failure
from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.errors import InvalidRequest, NotFound, Unavailable
from paimon.infrastructure.database.sessions import ReadSession


class NoSnapshotYet(Unavailable):
    """The fund's first snapshot has not been taken yet; a worker must be running. Try again shortly."""


class SnapshotNotFound(NotFound):
    """No snapshot was kept at or before the given point."""


class BlockNotRecorded(InvalidRequest):
    """The block is before the first recorded one, or is not recorded yet; the message names the recorded range."""

    def __init__(self, message: str, field: str = "block") -> None:
        super().__init__(message)
        self.field = field


async def no_snapshot_yet(session: ReadSession) -> NoSnapshotYet:
    """Return the error of a fund without a snapshot; it names the read that fails, if that is why."""
    if (failure := await find_valuation_failure(session)) is None:
        return NoSnapshotYet()
    return NoSnapshotYet(f"the fund cannot be valued: {failure.finding.observed}")


async def get_newest_snapshot(session: ReadSession) -> FundSnapshot:
    """Return the newest snapshot, kept or not. Raises NoSnapshotYet."""
    if (newest := await find_newest_snapshot(session)) is None:
        raise await no_snapshot_yet(session)
    return newest


async def get_recorded_block(session: ReadSession, block: int | None) -> BlockStamp:
    """Return the requested block, or the last recorded one.

    Raises:
        NothingRecorded, BlockNotRecorded.
    """
    if (recorded := await read_recorded_range(session)) is None:
        raise NothingRecorded
    if block is None:
        return recorded.cursor
    if not recorded.first <= block <= recorded.cursor.number:
        raise BlockNotRecorded(f"block {block} is not recorded; blocks {recorded.first} to {recorded.cursor.number} are")
    return await get_block_at_or_below(session, block)


async def snapshot_as_of(session: ReadSession, block: int | None) -> FundSnapshot:
    """Return the newest snapshot, or the newest kept one at or before a recorded block.

    Raises:
        NoSnapshotYet, NothingRecorded, BlockNotRecorded, SnapshotNotFound.
    """
    if block is None:
        return await get_newest_snapshot(session)
    await get_recorded_block(session, block)
    if (kept := await find_kept_snapshot(session, block)) is None:
        first = await find_first_kept_block(session)
        hint = "" if first is None else f"; the first is of block {first.number}"
        raise SnapshotNotFound(f"there is no snapshot of the fund at or before block {block}{hint}")
    return kept
