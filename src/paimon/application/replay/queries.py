"""Reads of recorded blocks and logs, and the limits that a replay sets on its transactions.

Logs are read in pages by key rather than through a cursor held open. Each page is one short query, so that neither a
transaction nor a result lives as long as the replay, and memory is one page however many logs there are.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from psycopg.errors import LockNotAvailable
from psycopg.rows import TupleRow
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.common.chain_position import NothingRecorded
from paimon.application.common.log_id import LogId
from paimon.application.event_listener.fetch.block_range import ChainLog
from paimon.application.replay.recorded_logs import RecordedLog
from paimon.domain.kernel.chain import BlockStamp, Hash32
from paimon.infrastructure.database.bulk_copy import driver_connection
from paimon.infrastructure.database.models.derived import BlockRow
from paimon.infrastructure.database.sessions import WriteSession

_ONE_SNAPSHOT: Final = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


async def read_one_snapshot(session: WriteSession) -> None:
    """Have every query of this transaction see one snapshot of the database; to be called first."""
    await session.execute(_ONE_SNAPSHOT)


async def set_lock_timeout(session: WriteSession, seconds: float) -> None:
    """End any statement of this transaction that waits longer for a lock."""
    await session.execute(text(f"SET LOCAL lock_timeout = {round(seconds * 1_000)}"))


class LockTimeout(Exception):
    """A lock was not free in time; the transaction changed nothing."""


@contextmanager
def lock_timeouts() -> Iterator[None]:
    """Turn the database's error about a lock that was not free into LockTimeout."""
    try:
        yield
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        raise LockTimeout from error


_CURSOR: Final = text("SELECT number FROM derived.cursor")
_LOCK_CURSOR: Final = text("SELECT number FROM derived.cursor FOR UPDATE")


async def read_cursor_block(session: AsyncSession, *, lock: bool = False) -> int:
    """Return the last recorded block; with `lock`, no other block is recorded before this transaction ends.

    Raises:
        NothingRecorded: the listener has not begun.
    """
    number = (await session.execute(_LOCK_CURSOR if lock else _CURSOR)).scalar()
    if number is None:
        raise NothingRecorded("the listener has recorded nothing yet; there is nothing to replay")
    return int(number)


async def find_recorded_range(session: AsyncSession) -> tuple[int, int] | None:
    """Return the first and the last recorded block; None before the first."""
    first, last = (await session.execute(select(func.min(BlockRow.number), func.max(BlockRow.number)))).one()
    return None if first is None else (first, last)


async def read_block_hashes(session: AsyncSession, first: int, last: int) -> dict[int, Hash32]:
    """Return the hashes of the recorded blocks in a range, by number."""
    rows = await session.execute(select(BlockRow.number, BlockRow.hash).where(BlockRow.number.between(first, last)))
    return {number: Hash32(block_hash) for number, block_hash in rows}


_COUNT: Final = text("SELECT count(*) FROM derived.raw_logs WHERE block_number <= :last")


async def count_logs(session: AsyncSession, *, last: int) -> int:
    """Return how many logs are recorded up to block `last`."""
    return int((await session.execute(_COUNT, {"last": last})).scalar_one())


# Two queries, the second with the bound that the first has found. A bound that the planner knows is one range of the key's
# index; a bound that it must find out by itself is a walk through the whole table, for every page.
_PAGE_END: Final = """
    SELECT max(block_number) FROM (
        SELECT block_number FROM derived.raw_logs
         WHERE (block_number, log_index) > (%(block_number)s, %(log_index)s) AND block_number <= %(last)s
         ORDER BY block_number, log_index
         LIMIT %(logs)s
    ) AS page
"""
_PAGE: Final = """
    SELECT timestamp, block_number, block_hash, log_index, tx_hash, tx_index, address, topics, data,
           contract, event, args::text, request_id, status, reason
      FROM derived.raw_logs JOIN derived.blocks ON number = block_number
     WHERE (block_number, log_index) > (%(block_number)s, %(log_index)s)
       AND block_number BETWEEN %(block_number)s AND %(end)s
       AND number BETWEEN %(block_number)s AND %(end)s
     ORDER BY block_number, log_index
"""


async def read_page(session: AsyncSession, after: LogId, *, last: int, logs: int) -> list[RecordedLog]:
    """Return at least `logs` of the next logs after `after`, up to block `last`, or all there are; empty at the end.

    The page's last block is complete, because a transaction is folded as a whole.
    """
    connection = await driver_connection(session)
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(_PAGE_END, {**after._asdict(), "last": last, "logs": logs})
        end = await cursor.fetchone()
        if end is None or end[0] is None:
            return []
        await cursor.execute(_PAGE, {**after._asdict(), "end": end[0]})
        rows = await cursor.fetchall()
    return _recorded(rows)


def _recorded(rows: Sequence[TupleRow]) -> list[RecordedLog]:
    recorded: list[RecordedLog] = []
    block: BlockStamp | None = None
    for timestamp, number, block_hash, log_index, tx_hash, tx_index, address, topics, data, *decoded_fields in rows:
        if block is None or block.number != number:
            block = BlockStamp(number, Hash32(block_hash), timestamp)
        log = ChainLog(block, log_index, tx_hash, tx_index, address, tuple(topics), data)
        recorded.append(RecordedLog(log, *decoded_fields))
    return recorded
