"""One range of final blocks into the database: cursor, blocks, logs, proof, projections, due reactions in one transaction.

The cursor moves by compare-and-set on (hash of the parent, epoch of the lease). A second writer, or one that lost its
lease while it slept, finds another hash or epoch there and writes nothing; a crash at any point repeats the batch with
the same result.
"""

from collections.abc import Sequence
from time import monotonic
from typing import Final

from psycopg.types.json import Jsonb
from sqlalchemy import text

from paimon.application.event_listener.decode import DecodedLog, Reading
from paimon.application.event_listener.fetch import Range
from paimon.application.event_listener.following import add_followed, announced
from paimon.application.event_listener.processing import Fetching, add_batch, microseconds
from paimon.application.event_listener.project import project
from paimon.application.event_listener.proofs import add_proof
from paimon.application.event_listener.react import due_reactions
from paimon.application.event_listener.thin_out import thin_out
from paimon.domain.followed import Followed, FollowedContract
from paimon.domain.proof import ProofLevel, RangeProof
from paimon.infrastructure.database.copying import driver_connection
from paimon.infrastructure.database.models.derived import LogStatus
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.queue import outbox


class CursorMoved(Exception):
    """The cursor is not where this writer left it: another listener writes, or the recorded chain is not this one."""


_ADVANCE = text("""
    UPDATE derived.cursor SET number = :number, hash = :hash, timestamp = :timestamp
     WHERE id = 1 AND hash = :parent_hash AND epoch = :epoch
    RETURNING number
""")


_EFFORTLESS: Final = Fetching()


async def record(
    database: Database,
    fetched: Range,
    logs: Sequence[DecodedLog],
    *,
    followed: Followed,
    epoch: int,
    level: ProofLevel = ProofLevel.NONE,
    fetching: Fetching = _EFFORTLESS,
) -> list[FollowedContract]:
    """Commit one range with how it is proven, or nothing; the contracts that it brought in, followed from now on.

    Raises:
        CursorMoved: the compare-and-set found another hash or epoch.
    """
    began = monotonic()
    async with database.write() as session:
        await _advance_cursor(session, fetched, epoch=epoch)
        if logs:
            await project(session, logs, followed.treasury)
        await _copy_blocks(session, fetched)
        await _copy_logs(session, logs)
        await add_proof(session, RangeProof(fetched.first, fetched.last.number, level))
        await thin_out(session, fetched.first, fetched.last.number)
        new = announced(followed, logs)
        await add_followed(session, new)
        await _add_reactions(session, logs)
        await add_batch(session, _batch(fetched, logs, fetching, record_seconds=monotonic() - began))
    return new


def _batch(fetched: Range, logs: Sequence[DecodedLog], fetching: Fetching, *, record_seconds: float) -> dict[str, object]:
    return {
        "time": None,
        "first_block": fetched.first,
        "last_block": fetched.last.number,
        "last_block_at": fetched.last.timestamp,
        "logs": len(logs),
        "quarantined": sum(log.status is LogStatus.QUARANTINED for log in logs),
        "behind_blocks": fetching.behind_blocks,
        "fetch_us": microseconds(fetching.seconds),
        "record_us": microseconds(record_seconds),
    }


async def _advance_cursor(session: WriteSession, fetched: Range, *, epoch: int) -> None:
    last = fetched.last
    values = {"number": last.number, "hash": last.hash, "timestamp": last.timestamp}
    moved = await session.execute(_ADVANCE, {**values, "parent_hash": fetched.parent_hash, "epoch": epoch})
    if moved.scalar() is None:
        raise CursorMoved(f"block {fetched.first} does not continue the recorded chain under epoch {epoch}")


async def _copy_blocks(session: WriteSession, fetched: Range) -> None:
    connection = await driver_connection(session)
    columns = "number, hash, parent_hash, timestamp, kept_before"
    before = fetched.first - 1
    async with connection.cursor() as cursor, cursor.copy(f"COPY derived.blocks ({columns}) FROM STDIN") as copy:
        for header in fetched.headers:
            stamp = header.stamp
            await copy.write_row((stamp.number, stamp.hash, header.parent_hash, stamp.timestamp, before))
            before = stamp.number


_LOG_COLUMNS = f"block_number, log_index, block_hash, tx_hash, tx_index, address, topics, data, {', '.join(Reading._fields)}"


async def _copy_logs(session: WriteSession, logs: Sequence[DecodedLog]) -> None:
    connection = await driver_connection(session)
    async with connection.cursor() as cursor, cursor.copy(f"COPY derived.raw_logs ({_LOG_COLUMNS}) FROM STDIN") as copy:
        for decoded in logs:
            log = decoded.log
            await copy.write_row((
                log.block.number,
                log.log_index,
                log.block.hash,
                log.tx_hash,
                log.tx_index,
                log.address,
                list(log.topics),
                log.data,
                *reading_values(decoded.reading),
            ))  # fmt: skip


def reading_values(reading: Reading) -> tuple[object, ...]:
    """The columns of a reading, in its order, as the driver takes them."""
    args = None if reading.args is None else Jsonb(reading.args)
    return (reading.contract.value, reading.event, args, reading.request_id, reading.status.value, reading.reason)


async def _add_reactions(session: WriteSession, logs: Sequence[DecodedLog]) -> None:
    for reaction in due_reactions(logs):
        await outbox.add(session, reaction.kind, reaction.aggregate_id, priority=reaction.priority, payload=reaction.payload)
