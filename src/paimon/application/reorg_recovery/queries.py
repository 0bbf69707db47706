"""Reads of a recovery: recorded blocks, rows above a block, and what rests on blocks above it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.kernel.chain import BlockStamp, Hash32

BLOCK_COLUMNS: Final[Mapping[str, str]] = {
    "derived.raw_logs": "block_number",
    "derived.blocks": "number",
    "derived.observations": "block_number",
    "derived.daily_snapshots": "block_number",
    "derived.asset_holdings_snapshots": "block_number",
    "derived.tracked_contracts": "since_block",
    "derived.range_proofs": "first_block",
}
"""Every input but the cursor, and the column that names a row's block; children before the blocks they refer to."""

_AT_OR_BELOW: Final = text("""
    SELECT number, hash, timestamp FROM derived.blocks WHERE number <= :number ORDER BY number DESC LIMIT 1
""")

_NUMBER_MAX: Final = 2**63 - 1


async def find_block_at_or_below(session: AsyncSession, number: int = _NUMBER_MAX) -> BlockStamp | None:
    """Return the last recorded block at or below a number; the last of all without one."""
    row = (await session.execute(_AT_OR_BELOW, {"number": number})).one_or_none()
    return None if row is None else BlockStamp(row.number, Hash32(bytes(row.hash)), row.timestamp)


async def count_rows(session: AsyncSession, *, above: int) -> dict[str, int]:
    """Return how many rows of each input are of blocks above a block."""
    counts = {}
    for table, column in BLOCK_COLUMNS.items():
        query = text(f"SELECT count(*) FROM {table} WHERE {column} > :above")  # noqa: S608 — names of this file
        counts[table] = int((await session.execute(query, {"above": above})).scalar_one())
    return counts


_PUBLISHED_POINTS: Final = text("""
    SELECT block_number, nav_per_share, published_at FROM ops.nav_points
     WHERE status = 'PUBLISHED' AND block_number > :above ORDER BY block_number
""")
_TICKETS: Final = text("""
    SELECT id, request_id, status FROM ops.approval_tickets
     WHERE request_id IN (SELECT request_id FROM derived.raw_logs WHERE block_number > :above) ORDER BY request_id
""")
_INTENTS: Final = text("""
    SELECT idempotency_key, status, subject_id AS request_id FROM ops.transaction_intents
     WHERE subject_type = 'redemption'
       AND subject_id IN (SELECT CAST(request_id AS text) FROM derived.raw_logs WHERE block_number > :above)
       AND created_at >= (SELECT min(recorded_at) FROM derived.blocks WHERE number > :above)
     ORDER BY created_at, idempotency_key
""")
_MINED: Final = text("""
    SELECT attempt.hash, attempt.status, attempt.block_number, attempt.block_hash, intent.idempotency_key
      FROM ops.transaction_attempts AS attempt JOIN ops.transaction_intents AS intent ON intent.id = attempt.intent_id
     WHERE attempt.status IN ('MINED', 'FINAL') AND attempt.block_number > :above
     ORDER BY attempt.block_number, attempt.hash
""")
_MESSAGES: Final = text("""
    SELECT kind, count(*) AS messages FROM ops.outbox
     WHERE done_at IS NOT NULL AND jsonb_typeof(payload -> 'block') = 'number' AND (payload ->> 'block')::bigint > :above
     GROUP BY kind ORDER BY kind
""")


async def list_published_points(session: AsyncSession, *, above: int) -> Sequence[Row[Any]]:
    """Return the published NAV points of blocks above a block."""
    return (await session.execute(_PUBLISHED_POINTS, {"above": above})).all()


async def list_tickets(session: AsyncSession, *, above: int) -> Sequence[Row[Any]]:
    """Return the tickets about requests that have a log above a block."""
    return (await session.execute(_TICKETS, {"above": above})).all()


async def list_intents(session: AsyncSession, *, above: int) -> Sequence[Row[Any]]:
    """Return the intents about requests that have a log above a block, made since that block was recorded."""
    return (await session.execute(_INTENTS, {"above": above})).all()


async def list_mined_attempts(session: AsyncSession, *, above: int) -> Sequence[Row[Any]]:
    """Return our attempts that were mined in blocks above a block."""
    return (await session.execute(_MINED, {"above": above})).all()


async def count_done_messages(session: AsyncSession, *, above: int) -> dict[str, int]:
    """Return how many outbox messages about blocks above a block are done, by kind."""
    return {row.kind: row.messages for row in await session.execute(_MESSAGES, {"above": above})}
