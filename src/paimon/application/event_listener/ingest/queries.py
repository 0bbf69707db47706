"""The mean time between blocks, measured from recorded headers. No constant: chains change it by upgrade.

Headers carry whole seconds (BSC puts the milliseconds into a field of its own that only its nodes read), so the mean is
taken over many blocks: over 500 blocks of 0.45 s, one second is half a per cent.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from paimon.infrastructure.database.sessions import ReadSession, WriteSession

_SPAN_BLOCKS: Final = 500

# Headers may have been pruned: the span begins at the first one that is there.
_SPAN: Final = text("""
    SELECT newest.number - first.number AS blocks,
           CAST(extract(epoch FROM newest.timestamp - first.timestamp) AS double precision) AS seconds
      FROM (SELECT number, timestamp FROM derived.blocks ORDER BY number DESC LIMIT 1) AS newest
     CROSS JOIN LATERAL (
           SELECT number, timestamp FROM derived.blocks WHERE number >= newest.number - :span ORDER BY number LIMIT 1) AS first
""")


@dataclass(frozen=True, slots=True)
class BlockTime:
    """The mean time between blocks over the last `blocks` blocks."""

    block_seconds: float
    blocks: int

    def __str__(self) -> str:
        return f"{self.block_seconds:.2f} s a block (mean of the last {self.blocks})"


async def measure_block_time(session: ReadSession | WriteSession) -> BlockTime | None:
    """Measure the mean block time; None before two blocks are recorded."""
    row = (await session.execute(_SPAN, {"span": _SPAN_BLOCKS})).one_or_none()
    return BlockTime(row.seconds / row.blocks, row.blocks) if row is not None and row.blocks else None
