"""The list of logs that are not final yet: one small table, updated at each check of the head.

The table is the whole state. An update compares it with the blocks above the final one and with the recorded blocks, so a
restart, a takeover or a failed check leaves nothing to repair. Nothing is projected from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from paimon.application.event_listener.fetch.decode import DecodedLog
from paimon.application.event_listener.record.store import (
    add_pending_logs,
    delete_pending_logs,
    find_recorded_hashes,
    find_recorded_number,
    load_pending_logs,
)
from paimon.domain.chain.pending_logs import PendingLogKey, PendingLogStatus, resolve_pending
from paimon.domain.kernel.chain import Hash32, checksum, hex0x
from paimon.infrastructure.database.leases import HeldLease, fence
from paimon.infrastructure.database.models.ops.pending_log import PendingLogRow
from paimon.infrastructure.database.sessions import Database

log = structlog.get_logger(__name__)

PENDING_LOGS: Final = "fund:pending-logs"
"""The live channel."""


@dataclass(frozen=True, slots=True)
class PendingLogUpdate:
    """One log that was added to the list or resolved, with its new status."""

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


async def update_pending_logs(
    database: Database, head: Mapping[int, Hash32], logs: Sequence[DecodedLog], *, lease: HeldLease, rows_max: int
) -> list[PendingLogUpdate]:
    """Update the list from the blocks above the final one and their logs. Return what was resolved and added.

    Raises:
        LeaseLost: another process holds the lease and updates the list.
    """
    async with database.write() as session:
        await fence(session, lease)
        recorded_block = await find_recorded_number(session)
        if recorded_block is None:
            return []
        known = await load_pending_logs(session)
        recorded = await find_recorded_hashes(session, (key.block_hash for key in known))
        resolved = resolve_pending(known, head, recorded_block=recorded_block, recorded=recorded)
        await delete_pending_logs(session, resolved)
        new = [row for row in map(_row, logs) if _key_of(row) not in known and row.block_number > recorded_block]
        room = max(rows_max - len(known) + len(resolved), 0)
        if len(new) > room:
            log.warning("pending_logs.limit_reached", rows=rows_max, left_out=len(new) - room)
        await add_pending_logs(session, new[:room])
    return [
        *(PendingLogUpdate(status, known[key]) for key, status in resolved.items()),
        *(PendingLogUpdate(PendingLogStatus.PENDING, row) for row in new[:room]),
    ]


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
