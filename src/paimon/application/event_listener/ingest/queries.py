"""The usual time between blocks, measured from recorded headers. No constant: chains change it by upgrade.

Headers carry whole seconds (BSC puts the milliseconds into a field of its own that only its nodes read), so a rate is taken
over many blocks: over 50 blocks of 0.45 s, one second is 4 per cent. The median of ten such rates is the block time. A chain
that stood still, or a test chain whose clock was moved, changes one of the ten and not the median.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from paimon.infrastructure.database.sessions import ReadSession, WriteSession

_SPAN_BLOCKS: Final = 500
_PIECES: Final = 10

# Not every block has its header recorded, and old headers may have been pruned: a piece counts the blocks between two headers.
_MEDIAN: Final = text("""
    WITH recent AS (
        SELECT number, timestamp, ntile(:pieces) OVER (ORDER BY number) AS piece
          FROM derived.blocks
         WHERE number >= (SELECT max(number) FROM derived.blocks) - :span),
    limits AS (
        SELECT number, timestamp FROM (SELECT DISTINCT ON (piece) number, timestamp FROM recent ORDER BY piece, number) AS first
         UNION
        SELECT number, timestamp FROM (SELECT number, timestamp FROM recent ORDER BY number DESC LIMIT 1) AS newest),
    pieces AS (
        SELECT number - lag(number) OVER by_number AS blocks, timestamp - lag(timestamp) OVER by_number AS duration
          FROM limits WINDOW by_number AS (ORDER BY number))
    SELECT CAST(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM duration) / blocks) AS float8) AS seconds,
           CAST(sum(blocks) AS int) AS blocks
      FROM pieces WHERE blocks IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class BlockTime:
    """The median time between blocks over the last `blocks` blocks."""

    block_seconds: float
    blocks: int

    def __str__(self) -> str:
        return f"{self.block_seconds:.2f} s a block (median of the last {self.blocks})"


async def measure_block_time(session: ReadSession | WriteSession) -> BlockTime | None:
    """Measure the median block time; None before two blocks are recorded."""
    row = (await session.execute(_MEDIAN, {"span": _SPAN_BLOCKS, "pieces": _PIECES})).one()
    return None if row.seconds is None else BlockTime(row.seconds, row.blocks)
