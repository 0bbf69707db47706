"""The listener's log of its own work: one row a batch, summed up by the hour."""

from collections.abc import Sequence
from dataclasses import dataclass

from paimon.application.event_listener.fetch.block_range import BlockRange
from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.domain.events.log_status import LogStatus


@dataclass(frozen=True, slots=True)
class FetchStats:
    """How long a range took to fetch and prove, and how many final blocks follow it."""

    seconds: float = 0.0
    lag_blocks: int = 0


def batch_row(
    fetched: BlockRange, logs: Sequence[DecodedLog], fetch_stats: FetchStats, *, record_seconds: float
) -> dict[str, object]:
    """Return the batch's row of `event_processing_logs`; its `time` is the transaction's."""
    return {
        "time": None,
        "first_block": fetched.first,
        "last_block": fetched.last.number,
        "last_block_at": fetched.last.timestamp,
        "logs": len(logs),
        "quarantined": sum(decoded.status is LogStatus.QUARANTINED for decoded in logs),
        "lag_blocks": fetch_stats.lag_blocks,
        "fetch_us": _microseconds(fetch_stats.seconds),
        "record_us": _microseconds(record_seconds),
    }


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)
