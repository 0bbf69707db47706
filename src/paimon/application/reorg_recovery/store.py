"""Writes of a recovery: remove inputs above a block, set the cursor, and mark what rested on removed blocks."""

from typing import Any, Final

from sqlalchemy import CursorResult, text

from paimon.application.reorg_recovery.queries import BLOCK_COLUMNS
from paimon.domain.kernel.chain import BlockStamp
from paimon.infrastructure.database.sessions import WriteSession

_LOCK_CURSOR: Final = text("SELECT number, hash FROM derived.cursor FOR UPDATE")
_SET_CURSOR: Final = text("""
    UPDATE derived.cursor SET number = :number, hash = :hash, timestamp = :timestamp, epoch = :epoch
""")


async def lock_cursor(session: WriteSession) -> tuple[int, bytes]:
    """Lock the cursor's row, so that no process records a block, and return its number and hash."""
    row = (await session.execute(_LOCK_CURSOR)).one()
    return row.number, bytes(row.hash)


async def set_cursor(session: WriteSession, at: BlockStamp, *, epoch: int) -> None:
    """Set the cursor to a block, under the epoch of a new lease."""
    values = {"number": at.number, "hash": at.hash, "timestamp": at.timestamp, "epoch": epoch}
    await session.execute(_SET_CURSOR, values)


_CUT_PROOF: Final = text("UPDATE derived.range_proofs SET last_block = :above WHERE last_block > :above")
"""Ends the proof of the range that the ancestor is in at the ancestor."""


async def remove_inputs(session: WriteSession, *, above: int) -> dict[str, int]:
    """Remove every input of blocks above a block; return how many rows, by table."""
    removed = {}
    for table, column in BLOCK_COLUMNS.items():
        statement = text(f"DELETE FROM {table} WHERE {column} > :above")  # noqa: S608 — names of `queries`
        result = await session.execute(statement, {"above": above}, execution_options={"preserve_rowcount": True})
        assert isinstance(result, CursorResult)  # noqa: S101 — a DELETE returns one
        removed[table] = result.rowcount
    await session.execute(_CUT_PROOF, {"above": above})
    return removed


# An unresolved break was found at a block. One that was found above the ancestor will be found there again, or be resolved.
_MARKS: Final = tuple(
    map(
        text,
        (
            "UPDATE ops.reconciliations SET orphaned = true WHERE block_number > :above",
            "DELETE FROM ops.nav_points WHERE status = 'WITHHELD' AND block_number > :above",
            "UPDATE ops.nav_points SET status = 'ORPHANED' WHERE status = 'PUBLISHED' AND block_number > :above",
            """UPDATE ops.risk_events SET last_seen_block = :above, first_seen_block = least(first_seen_block, :above)
                WHERE kind = 'RECONCILIATION_BREAK' AND status <> 'RESOLVED' AND last_seen_block > :above""",
        ),
    )
)


async def mark_orphaned(session: WriteSession, *, above: int) -> None:
    """Mark reconciliations, NAV points and breaks of blocks above a block; withheld points are removed."""
    values: dict[str, Any] = {"above": above}
    for statement in _MARKS:
        await session.execute(statement, values)
