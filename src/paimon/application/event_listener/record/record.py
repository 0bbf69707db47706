"""Record one range of final blocks in one transaction: cursor, blocks, logs, proof, projections and outbox messages.

The cursor moves by compare-and-set on the parent's hash and the lease's epoch. A second writer, or one that lost its lease
while it slept, finds another hash or epoch and writes nothing. After a crash at any point the batch is repeated with the same
result.
"""

from collections.abc import Sequence
from time import monotonic
from typing import Final

from paimon.application.event_listener.fetch.block_range import BlockRange
from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.application.event_listener.fetch.store import add_proof, add_tracked_contracts
from paimon.application.event_listener.fetch.tracked_contracts import discovered
from paimon.application.event_listener.record.batch_log import FetchStats, batch_row
from paimon.application.event_listener.record.header_pruning import spans_to_prune
from paimon.application.event_listener.record.outbox_messages import due_messages
from paimon.application.event_listener.record.project import project
from paimon.application.event_listener.record.store import (
    add_batch,
    advance_cursor,
    copy_blocks,
    copy_logs,
    delete_quiet_headers,
)
from paimon.domain.chain.range_proof import ProofLevel, RangeProof
from paimon.domain.chain.tracked_contracts import TrackedContract, TrackedContracts
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.queue import outbox


class CursorMoved(Exception):
    """The cursor is not where this writer left it: another listener writes, or the recorded chain is a different one."""


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
    """Commit one range with its proof level, or nothing. Return the contracts that it brought in.

    Raises:
        CursorMoved: the compare-and-set found another hash or epoch.
    """
    began = monotonic()
    async with database.write() as session:
        if not await advance_cursor(session, fetched, epoch=epoch):
            raise CursorMoved(f"block {fetched.first} does not continue the recorded chain under epoch {epoch}")
        if logs:
            await project(session, logs, tracked.treasury)
        await copy_blocks(session, fetched)
        await copy_logs(session, logs)
        await add_proof(session, RangeProof(fetched.first, fetched.last.number, level))
        for begin, end in spans_to_prune(fetched.first, fetched.last.number):
            await delete_quiet_headers(session, begin=begin, end=end)
        new = discovered(tracked, logs)
        await add_tracked_contracts(session, new)
        for message in due_messages(logs):
            await outbox.add(session, message.kind, message.aggregate_id, priority=message.priority, payload=message.payload)
        await add_batch(session, batch_row(fetched, logs, fetch_stats, record_seconds=monotonic() - began))
    return new
