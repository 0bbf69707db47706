"""What other features read of recording: the listener's recent work, and the pending logs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select, text

from paimon.domain.kernel.chain import Address, ContractName, Hash32
from paimon.infrastructure.database.models.ops.pending_log import PendingLogRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page, latest_first
from paimon.infrastructure.database.sessions import ReadSession, WriteSession


@dataclass(frozen=True, slots=True)
class ProcessingStats:
    """The listener's work over a span of time."""

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


async def read_recent_processing(session: ReadSession | WriteSession, span: timedelta) -> ProcessingStats:
    """Sum up the batches of the last `span`, by the database's clock."""
    row = (await session.execute(_RECENT, {"span": span})).one()
    return ProcessingStats(row.batches, int(row.blocks), int(row.logs), row.lag_blocks_max, float(row.record_us) / 1000)


@dataclass(frozen=True, slots=True)
class PendingLog:
    """One log of a block that is not final yet."""

    block_number: int
    block_hash: Hash32
    block_timestamp: datetime
    tx_hash: Hash32
    log_index: int
    contract: ContractName
    address: Address
    event: str | None
    args: dict[str, Any] | None
    seen_at: datetime


async def list_pending_logs(session: ReadSession, page: PageRequest) -> Page[PendingLog]:
    """List the pending logs, latest first."""
    order = latest_first(PendingLogRow.block_number, PendingLogRow.log_index, PendingLogRow.block_hash)
    return await fetch_page(session, select(PendingLogRow), page, _pending_log, order=order)


def _pending_log(row: PendingLogRow) -> PendingLog:
    return PendingLog(
        block_number=row.block_number,
        block_hash=row.block_hash,
        block_timestamp=row.block_timestamp,
        tx_hash=row.tx_hash,
        log_index=row.log_index,
        contract=row.contract,
        address=row.address,
        event=row.event,
        args=row.args,
        seen_at=row.seen_at,
    )
