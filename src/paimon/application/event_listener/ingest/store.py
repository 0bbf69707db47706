"""SQL of the cursor: the one row that says up to which block the chain is recorded, and under which lease's epoch."""

from typing import Final

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from paimon.domain.kernel.chain import BlockStamp
from paimon.infrastructure.database.models.derived import CursorRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession


async def has_cursor(session: ReadSession) -> bool:
    return (await session.execute(select(CursorRow.id))).scalar_one_or_none() is not None


async def create_cursor(session: WriteSession, before: BlockStamp, *, epoch: int) -> None:
    """Create the cursor at the block before the first one to record, unless another process has created it."""
    values = {"number": before.number, "hash": before.hash, "timestamp": before.timestamp}
    await session.execute(insert(CursorRow).values(id=1, epoch=epoch, **values).on_conflict_do_nothing())


async def claim_cursor(session: WriteSession, *, epoch: int) -> BlockStamp | None:
    """Write this epoch to the cursor, which bars all earlier ones; None when a later epoch is there."""
    claimed = update(CursorRow).where(CursorRow.epoch <= epoch).values(epoch=epoch).returning(CursorRow)
    row = (await session.scalars(claimed)).one_or_none()
    return None if row is None else BlockStamp(row.number, row.hash, row.timestamp)


_END_PREDECESSOR: Final = text("""
    SELECT pg_terminate_backend(pid)
      FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
       AND locktype = 'relation' AND relation = 'derived.cursor'::regclass AND mode = 'RowExclusiveLock' AND granted
""")


async def end_predecessor(session: WriteSession) -> None:
    """End the connection of an earlier holder that still locks the cursor.

    A process that froze in the middle of its transaction keeps the row locked, and in the middle of a COPY no timeout of
    the server reaches it. Its lease is over, so nothing of that transaction may be committed any more.
    """
    await session.execute(_END_PREDECESSOR)
