"""The list of what was seen and is not final: one small table, brought up to date at each look at the head.

The table is the whole state. A look compares it with the blocks above the final one and with what is recorded, so that a
restart, a takeover and a look that failed need nothing made up for. Nothing is projected from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import delete, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.domain.chain.pending_logs import PendingLogKey, PendingLogStatus, resolve_pending
from paimon.domain.kernel.chain import Address, ContractName, Hash32, checksum, hex0x
from paimon.infrastructure.database.leases import HeldLease, fence
from paimon.infrastructure.database.models.ops.pending_log import PendingLogRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page
from paimon.infrastructure.database.sessions import Database, WriteSession

log = structlog.get_logger(__name__)

PENDING_LOGS: Final = "fund:pending-logs"
"""The live channel."""


@dataclass(frozen=True, slots=True)
class PendingLogUpdate:
    """One log that came, or left, and how."""

    status: PendingLogStatus
    row: PendingLogRow

    @property
    def message(self) -> dict[str, Any]:
        row = self.row
        return {
            "status": self.status.value,
            "blockNumber": row.block_number,
            "blockHash": hex0x(row.block_hash),
            "txHash": hex0x(row.tx_hash),
            "logIndex": row.log_index,
            "contract": row.contract.value,
            "address": checksum(row.address),
            "event": row.event,
            "args": row.args,
        }


_RECORDED_UNTIL: Final = text("SELECT number FROM derived.cursor")
_RECORDED: Final = text("SELECT hash FROM derived.blocks WHERE hash = ANY(:hashes)")


async def update_pending_logs(
    database: Database, head: Mapping[int, Hash32], logs: Sequence[DecodedLog], *, lease: HeldLease, rows_max: int
) -> list[PendingLogUpdate]:
    """Bring the list up to date with the blocks above the final one and their logs; what came and left.

    Raises:
        LeaseLost: another holds the lease, and the list is its.
    """
    async with database.write() as session:
        await fence(session, lease)
        recorded_block = (await session.execute(_RECORDED_UNTIL)).scalar()
        if recorded_block is None:
            return []
        known = {
            PendingLogKey(row.block_number, row.block_hash, row.log_index): row
            for row in await session.scalars(_select_pending_logs())
        }
        recorded = await session.execute(_RECORDED, {"hashes": list({each.block_hash for each in known})})
        ended = resolve_pending(
            known, head, recorded_block=recorded_block, recorded={Hash32(bytes(each)) for each in recorded.scalars()}
        )
        for key in ended:
            session.expunge(known[key])
        await _remove(session, ended)
        fresh = [each for each in map(_row, logs) if _key_of(each) not in known and each.block_number > recorded_block]
        room = max(rows_max - len(known) + len(ended), 0)
        if len(fresh) > room:
            log.warning("pending_logs.limit_reached", rows=rows_max, left_out=len(fresh) - room)
        added = await _add(session, fresh[:room])
    return [
        *(PendingLogUpdate(status, known[each]) for each, status in ended.items()),
        *(PendingLogUpdate(PendingLogStatus.PENDING, each) for each in added),
    ]


def _select_pending_logs() -> Any:
    return select(PendingLogRow).order_by(PendingLogRow.block_number, PendingLogRow.log_index)


def _key_of(row: PendingLogRow) -> PendingLogKey:
    return PendingLogKey(row.block_number, row.block_hash, row.log_index)


def _row(decoded: DecodedLog) -> PendingLogRow:
    seen = decoded.log
    return PendingLogRow(
        block_hash=seen.block.hash,
        log_index=seen.log_index,
        block_number=seen.block.number,
        block_timestamp=seen.block.timestamp,
        tx_hash=seen.tx_hash,
        address=seen.address,
        contract=decoded.contract,
        event=decoded.name,
        args=decoded.args,
    )


async def _remove(session: WriteSession, ended: Mapping[PendingLogKey, PendingLogStatus]) -> None:
    if ended:
        key = tuple_(PendingLogRow.block_hash, PendingLogRow.log_index)
        await session.execute(delete(PendingLogRow).where(key.in_([(each.block_hash, each.log_index) for each in ended])))


_COLUMNS: Final = (
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


async def _add(session: WriteSession, rows: Sequence[PendingLogRow]) -> Sequence[PendingLogRow]:
    if rows:
        values = [{name: getattr(row, name) for name in _COLUMNS} for row in rows]
        await session.execute(insert(PendingLogRow).on_conflict_do_nothing(), values)
    return rows


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


async def list_pending_logs(session: AsyncSession, page: PageRequest) -> Page[PendingLog]:
    """List the pending logs, latest first."""
    query = select(PendingLogRow).order_by(PendingLogRow.block_number.desc(), PendingLogRow.log_index.desc())
    return await fetch_page(session, query, page, _pending_log)


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
