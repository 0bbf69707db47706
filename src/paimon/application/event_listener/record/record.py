"""One range of final blocks into the database: cursor, blocks, logs, proof, projections, due reactions in one transaction.

The cursor moves by compare-and-set on (hash of the parent, epoch of the lease). A second writer, or one that lost its
lease while it slept, finds another hash or epoch there and writes nothing; a crash at any point repeats the batch with
the same result.
"""

from collections.abc import Sequence
from time import monotonic
from typing import Final

import orjson
from sqlalchemy import text

from paimon.application.event_listener.fetch.block_range import BlockRange
from paimon.application.event_listener.fetch.decode import DecodedLog, Reading
from paimon.application.event_listener.fetch.range_proofs import add_proof
from paimon.application.event_listener.fetch.tracked_contracts import add_tracked_contracts, discovered
from paimon.application.event_listener.record.batch_log import FetchStats, add_batch, microseconds
from paimon.application.event_listener.record.header_pruning import prune_headers
from paimon.application.event_listener.record.json_text import json_text
from paimon.application.event_listener.record.project import project
from paimon.application.event_listener.record.reactions import due_messages
from paimon.domain.chain.range_proof import ProofLevel, RangeProof
from paimon.domain.chain.tracked_contracts import TrackedContract, TrackedContracts
from paimon.domain.events.log_status import LogStatus
from paimon.infrastructure.blockchain.abi.contract_abi import plain
from paimon.infrastructure.database.arrays import array_literal
from paimon.infrastructure.database.bulk_copy import copy_rows
from paimon.infrastructure.database.models.derived import BlockRow, RawLogRow
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.queue import outbox


class CursorMoved(Exception):
    """The cursor is not where this writer left it: another listener writes, or the recorded chain is not this one."""


_ADVANCE = text("""
    UPDATE derived.cursor SET number = :number, hash = :hash, timestamp = :timestamp
     WHERE id = 1 AND hash = :parent_hash AND epoch = :epoch
    RETURNING number
""")


_NO_FETCH_STATS: Final = FetchStats()


async def record(
    database: Database,
    fetched: BlockRange,
    logs: Sequence[DecodedLog],
    *,
    tracked: TrackedContracts,
    epoch: int,
    level: ProofLevel = ProofLevel.NONE,
    fetch_stats: FetchStats = _NO_FETCH_STATS,
) -> list[TrackedContract]:
    """Commit one range with how it is proven, or nothing; the contracts that it brought in, followed from now on.

    Raises:
        CursorMoved: the compare-and-set found another hash or epoch.
    """
    began = monotonic()
    async with database.write() as session:
        await _advance_cursor(session, fetched, epoch=epoch)
        if logs:
            await project(session, logs, tracked.treasury)
        await _copy_blocks(session, fetched)
        await _copy_logs(session, logs)
        await add_proof(session, RangeProof(fetched.first, fetched.last.number, level))
        await prune_headers(session, fetched.first, fetched.last.number)
        new = discovered(tracked, logs)
        await add_tracked_contracts(session, new)
        await _add_due_messages(session, logs)
        await add_batch(session, _batch(fetched, logs, fetch_stats, record_seconds=monotonic() - began))
    return new


def _batch(
    fetched: BlockRange, logs: Sequence[DecodedLog], fetch_stats: FetchStats, *, record_seconds: float
) -> dict[str, object]:
    return {
        "time": None,
        "first_block": fetched.first,
        "last_block": fetched.last.number,
        "last_block_at": fetched.last.timestamp,
        "logs": len(logs),
        "quarantined": sum(log.status is LogStatus.QUARANTINED for log in logs),
        "lag_blocks": fetch_stats.lag_blocks,
        "fetch_us": microseconds(fetch_stats.seconds),
        "record_us": microseconds(record_seconds),
    }


async def _advance_cursor(session: WriteSession, fetched: BlockRange, *, epoch: int) -> None:
    last = fetched.last
    values = {"number": last.number, "hash": last.hash, "timestamp": last.timestamp}
    moved = await session.execute(_ADVANCE, {**values, "parent_hash": fetched.parent_hash, "epoch": epoch})
    if moved.scalar() is None:
        raise CursorMoved(f"block {fetched.first} does not continue the recorded chain under epoch {epoch}")


_BLOCK: Final = ("number", "hash", "parent_hash", "timestamp", "previous_kept_number")


async def _copy_blocks(session: WriteSession, fetched: BlockRange) -> None:
    rows: list[tuple[object, ...]] = []
    before = fetched.first - 1
    for header in fetched.headers:
        stamp = header.stamp
        rows.append((stamp.number, stamp.hash, header.parent_hash, stamp.timestamp, before))
        before = stamp.number
    await copy_rows(session, BlockRow, _BLOCK, rows)


_PLACE: Final = ("block_number", "log_index", "block_hash", "tx_hash", "tx_index", "address", "topics", "data")


async def _copy_logs(session: WriteSession, logs: Sequence[DecodedLog]) -> None:
    await copy_rows(session, RawLogRow, (*_PLACE, *Reading._fields), [_log_values(each) for each in logs])


def _log_values(decoded: DecodedLog) -> tuple[object, ...]:
    (block, log_index, tx_hash, tx_index, address, topics, data) = decoded.log
    place = (block.number, log_index, block.hash, tx_hash, tx_index, address, array_literal(topics), data)
    return place + decoded_values(decoded)


def decoded_values(decoded: DecodedLog) -> tuple[object, ...]:
    """The columns of its reading, in their order, as COPY takes them; the arguments as the text of their JSON."""
    values = decoded.values
    args = None if values is None else json_text(values) or orjson.dumps(plain(values)).decode()
    return (decoded.contract.value, decoded.name, args, decoded.request_id, decoded.status.value, decoded.reason)


async def _add_due_messages(session: WriteSession, logs: Sequence[DecodedLog]) -> None:
    for message in due_messages(logs):
        await outbox.add(session, message.kind, message.aggregate_id, priority=message.priority, payload=message.payload)
