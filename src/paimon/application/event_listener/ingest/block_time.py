"""How long a block takes, measured from the headers that were recorded. Nothing assumes it: chains change it by decree.

Headers give whole seconds (BSC writes the milliseconds beside them, in a field of its own that only its nodes know), so the
measure is taken over many blocks: over 500 blocks of 0.45 s a second is half of one per cent.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_SPAN_BLOCKS: Final = 500

# Not every header need be kept: the span begins at the first that is.
_SPAN: Final = text("""
    SELECT newest.number - first.number AS blocks,
           CAST(extract(epoch FROM newest.timestamp - first.timestamp) AS double precision) AS seconds
      FROM (SELECT number, timestamp FROM derived.blocks ORDER BY number DESC LIMIT 1) AS newest
     CROSS JOIN LATERAL (
           SELECT number, timestamp FROM derived.blocks WHERE number >= newest.number - :span ORDER BY number LIMIT 1) AS first
""")


@dataclass(frozen=True, slots=True)
class BlockTime:
    """The mean over the last so many blocks."""

    block_seconds: float
    blocks: int

    def __str__(self) -> str:
        return f"{self.block_seconds:.2f} s a block (mean of the last {self.blocks})"


async def measure_block_time(session: AsyncSession) -> BlockTime | None:
    """None before two blocks are recorded."""
    row = (await session.execute(_SPAN, {"span": _SPAN_BLOCKS})).one_or_none()
    return BlockTime(row.seconds / row.blocks, row.blocks) if row is not None and row.blocks else None
