"""What the listener did, batch by batch and summed up by the hour.

A batch and its part of the hour's sum are one statement in the batch's own transaction: the sum is right at every commit,
for a row that comes late too, and is not written twice for a row that is there already. It therefore needs no job, and
outlives its rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.infrastructure.database.sessions import WriteSession


@dataclass(frozen=True, slots=True)
class FetchStats:
    """How a range was got: in what time, and how many final blocks were still to come after it."""

    seconds: float = 0.0
    lag_blocks: int = 0


def microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)


_ADD: Final = text("""
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
    """A row of `event_processing_logs`, and what it adds to its hour. Its `time` is this transaction's where it is None."""
    await session.execute(_ADD, batch)


@dataclass(frozen=True, slots=True)
class ProcessingStats:
    """The listener's work over some time."""

    batches: int
    blocks: int
    logs: int
    lag_blocks_max: int
    record_ms_mean: float


_RECENT: Final = text("""
    SELECT count(*) AS batches, coalesce(sum(last_block - first_block + 1), 0) AS blocks, coalesce(sum(logs), 0) AS logs,
           coalesce(max(lag_blocks), 0) AS lag_blocks_max, coalesce(avg(record_us), 0) AS record_us
      FROM ops.event_processing_logs
     WHERE time > now() - CAST(:span AS interval)
""")


async def read_recent_processing(session: AsyncSession, span: timedelta) -> ProcessingStats:
    """What was recorded in the last `span` by the database's clock."""
    row = (await session.execute(_RECENT, {"span": span})).one()
    return ProcessingStats(row.batches, int(row.blocks), int(row.logs), row.lag_blocks_max, float(row.record_us) / 1000)
