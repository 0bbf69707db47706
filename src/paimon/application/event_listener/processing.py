"""What the listener did, batch by batch and summed up by the hour.

A batch and its part of the hour's sum are one statement in the batch's own transaction: the sum is right at every commit,
for a row that comes late too, and is not written twice for a row that is there already. It therefore needs no job, and
outlives its rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.infrastructure.database.models.operating import EventProcessingHour, EventProcessingLog
from paimon.infrastructure.database.sessions import WriteSession


@dataclass(frozen=True, slots=True)
class Fetching:
    """How a range was got: in what time, and how many final blocks were still to come after it."""

    seconds: float = 0.0
    behind_blocks: int = 0


def microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)


async def add_batches(session: WriteSession, batches: Sequence[Mapping[str, Any]]) -> None:
    """Rows of `event_processing_logs`, and what they add to their hours."""
    added = insert(EventProcessingLog).values(list(batches)).on_conflict_do_nothing().returning(EventProcessingLog).cte("added")
    row = added.c
    hour = func.date_trunc("hour", row.time, "UTC")
    sums = {
        "batches": func.count(),
        "blocks": func.sum(row.last_block - row.first_block + 1),
        "logs": func.sum(row.logs),
        "quarantined": func.sum(row.quarantined),
        "fetch_us": func.sum(row.fetch_us),
        "record_us": func.sum(row.record_us),
    }
    peaks = {"behind_blocks_max": func.max(row.behind_blocks), "record_us_max": func.max(row.record_us)}
    statement = insert(EventProcessingHour).from_select(
        ["hour", *sums, *peaks], select(hour, *sums.values(), *peaks.values()).group_by(hour)
    )
    known, new = EventProcessingHour.__table__.c, statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["hour"],
            set_={name: known[name] + new[name] for name in sums}
            | {name: func.greatest(known[name], new[name]) for name in peaks},
        )
    )


@dataclass(frozen=True, slots=True)
class Processed:
    """The listener's work over some time."""

    batches: int
    blocks: int
    logs: int
    behind_blocks_max: int
    record_ms_mean: float


_LATELY: Final = text("""
    SELECT count(*) AS batches, coalesce(sum(last_block - first_block + 1), 0) AS blocks, coalesce(sum(logs), 0) AS logs,
           coalesce(max(behind_blocks), 0) AS behind_blocks_max, coalesce(avg(record_us), 0) AS record_us
      FROM owned.event_processing_logs
     WHERE time > now() - CAST(:span AS interval)
""")


async def processed_lately(session: AsyncSession, span: timedelta) -> Processed:
    """What was recorded in the last `span` by the database's clock."""
    row = (await session.execute(_LATELY, {"span": span})).one()
    return Processed(row.batches, int(row.blocks), int(row.logs), row.behind_blocks_max, float(row.record_us) / 1000)
