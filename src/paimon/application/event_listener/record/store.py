"""SQL of one recorded batch, and of the pending logs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import delete, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert

from paimon.application.event_listener.fetch.block_range import BlockRange
from paimon.application.event_listener.fetch.decode import DecodedFields, DecodedLog
from paimon.application.event_listener.record.json_text import json_text
from paimon.domain.chain.pending_logs import PendingLogKey
from paimon.domain.kernel.chain import Hash32
from paimon.infrastructure.blockchain.abi.contract_abi import to_json_value
from paimon.infrastructure.database.arrays import array_literal
from paimon.infrastructure.database.bulk_copy import copy_rows
from paimon.infrastructure.database.models.derived import BlockRow, RawLogRow
from paimon.infrastructure.database.models.ops.pending_log import PendingLogRow
from paimon.infrastructure.database.sessions import WriteSession

_ADVANCE: Final = text("""
    UPDATE derived.cursor SET number = :number, hash = :hash, timestamp = :timestamp
     WHERE id = 1 AND hash = :parent_hash AND epoch = :epoch
    RETURNING number
""")


async def advance_cursor(session: WriteSession, fetched: BlockRange, *, epoch: int) -> bool:
    """Move the cursor to the range's last block, if it stands before the range under this epoch; return whether it did."""
    last = fetched.last
    values = {"number": last.number, "hash": last.hash, "timestamp": last.timestamp}
    moved = await session.execute(_ADVANCE, {**values, "parent_hash": fetched.parent_hash, "epoch": epoch})
    return moved.scalar() is not None


_BLOCK_COLUMNS: Final = ("number", "hash", "parent_hash", "timestamp", "previous_kept_number")


async def copy_blocks(session: WriteSession, fetched: BlockRange) -> None:
    rows: list[tuple[object, ...]] = []
    previous_kept_number = fetched.first - 1
    for header in fetched.headers:
        stamp = header.stamp
        rows.append((stamp.number, stamp.hash, header.parent_hash, stamp.timestamp, previous_kept_number))
        previous_kept_number = stamp.number
    await copy_rows(session, BlockRow, _BLOCK_COLUMNS, rows)


_POSITION_COLUMNS: Final = ("block_number", "log_index", "block_hash", "tx_hash", "tx_index", "address", "topics", "data")


async def copy_logs(session: WriteSession, logs: Sequence[DecodedLog]) -> None:
    columns = (*_POSITION_COLUMNS, *DecodedFields._fields)
    await copy_rows(session, RawLogRow, columns, [_log_values(decoded) for decoded in logs])


def _log_values(decoded: DecodedLog) -> tuple[object, ...]:
    (block, log_index, tx_hash, tx_index, address, topics, data) = decoded.log
    position = (block.number, log_index, block.hash, tx_hash, tx_index, address, array_literal(topics), data)
    return position + decoded_values(decoded)


def decoded_values(decoded: DecodedLog) -> tuple[object, ...]:
    """Return the values of `DecodedFields` in order, as COPY takes them; the arguments as JSON text."""
    values = decoded.values
    args = None if values is None else json_text(values) or orjson.dumps(to_json_value(values)).decode()
    return (decoded.contract.value, decoded.name, args, decoded.request_id, decoded.status.value, decoded.reason)


# One statement for the row and its part of the hour's sum: the sum is right at every commit, also for a late row, and a row
# that is already there is not counted twice. The sum needs no job and outlives its rows.
_ADD_BATCH: Final = text("""
    WITH added AS (
        INSERT INTO ops.event_processing_logs
               (time, first_block, last_block, last_block_at, logs, quarantined, lag_blocks, fetch_us, record_us)
        VALUES (coalesce(CAST(:time AS timestamptz), now()), :first_block, :last_block, :last_block_at,
                :logs, :quarantined, :lag_blocks, :fetch_us, :record_us)
            ON CONFLICT DO NOTHING
        RETURNING *)
    INSERT INTO ops.event_processing_hourly AS known
           (hour, batches, blocks, logs, quarantined, lag_blocks_max, fetch_us, record_us, record_us_max)
    SELECT date_trunc('hour', time, 'UTC'), 1, last_block - first_block + 1, logs, quarantined, lag_blocks,
           fetch_us, record_us, record_us
      FROM added
        ON CONFLICT (hour) DO UPDATE
       SET batches = known.batches + excluded.batches,
           blocks = known.blocks + excluded.blocks,
           logs = known.logs + excluded.logs,
           quarantined = known.quarantined + excluded.quarantined,
           lag_blocks_max = greatest(known.lag_blocks_max, excluded.lag_blocks_max),
           fetch_us = known.fetch_us + excluded.fetch_us,
           record_us = known.record_us + excluded.record_us,
           record_us_max = greatest(known.record_us_max, excluded.record_us_max)
""")


async def add_batch(session: WriteSession, batch: Mapping[str, Any]) -> None:
    """Add a row of `event_processing_logs` and its part of the hour's sum. A `time` of None is this transaction's."""
    await session.execute(_ADD_BATCH, batch)


_PRUNE_HEADERS: Final = text("""
    WITH quiet AS (
        SELECT number FROM derived.blocks AS block
         WHERE number > :begin AND number < :end AND number > (SELECT min(number) FROM derived.blocks)
           AND NOT EXISTS (SELECT FROM derived.raw_logs AS log WHERE log.block_number = block.number)
           AND NOT EXISTS (SELECT FROM derived.observations AS seen WHERE seen.block_number = block.number)),
    pruned AS (DELETE FROM derived.blocks USING quiet WHERE blocks.number = quiet.number)
    UPDATE derived.blocks AS block
       SET previous_kept_number = kept.before
      FROM (SELECT number, lag(number) OVER (ORDER BY number) AS before
              FROM derived.blocks
             WHERE number >= coalesce((SELECT max(number) FROM derived.blocks WHERE number <= :begin), 0)
               AND number <= (SELECT min(number) FROM derived.blocks WHERE number >= :end)
               AND number NOT IN (SELECT number FROM quiet)) AS kept
     WHERE block.number = kept.number AND block.previous_kept_number <> kept.before
""")


async def delete_quiet_headers(session: WriteSession, *, begin: int, end: int) -> None:
    """Delete the headers between two blocks, except the fund's first and those of blocks with logs or observations."""
    await session.execute(_PRUNE_HEADERS, {"begin": begin, "end": end})


_RECORDED_UNTIL: Final = text("SELECT number FROM derived.cursor")
_RECORDED_HASHES: Final = text("SELECT hash FROM derived.blocks WHERE hash = ANY(:hashes)")


async def find_recorded_number(session: WriteSession) -> int | None:
    """Find the number of the last recorded block."""
    number: int | None = (await session.execute(_RECORDED_UNTIL)).scalar()
    return number


async def find_recorded_hashes(session: WriteSession, hashes: Iterable[Hash32]) -> set[Hash32]:
    """Find which of these blocks are recorded."""
    found = await session.execute(_RECORDED_HASHES, {"hashes": list(set(hashes))})
    return {Hash32(bytes(block_hash)) for block_hash in found.scalars()}


async def load_pending_logs(session: WriteSession) -> dict[PendingLogKey, PendingLogRow]:
    """Load all pending logs in chain order, detached from the session: they are used after they were deleted."""
    rows = await session.scalars(select(PendingLogRow).order_by(PendingLogRow.block_number, PendingLogRow.log_index))
    pending = {PendingLogKey(row.block_number, row.block_hash, row.log_index): row for row in rows}
    for row in pending.values():
        session.expunge(row)
    return pending


async def delete_pending_logs(session: WriteSession, keys: Iterable[PendingLogKey]) -> None:
    if positions := [(key.block_hash, key.log_index) for key in keys]:
        position = tuple_(PendingLogRow.block_hash, PendingLogRow.log_index)
        await session.execute(delete(PendingLogRow).where(position.in_(positions)))


_PENDING_COLUMNS: Final = (
    "block_hash",
    "log_index",
    "block_number",
    "block_timestamp",
    "tx_hash",
    "address",
    "contract",
    "event",
    "args",
)


async def add_pending_logs(session: WriteSession, rows: Sequence[PendingLogRow]) -> None:
    if rows:
        values = [{name: getattr(row, name) for name in _PENDING_COLUMNS} for row in rows]
        await session.execute(insert(PendingLogRow).on_conflict_do_nothing(), values)
