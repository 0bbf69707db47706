"""Headers of quiet blocks, forgotten once they are old: a chain makes 70 million blocks a year, and a fund is in few of them.

What stays: the recent window, blocks with logs or observations, every SPAN-th block, and the fund's first. Each kept block
names the one kept before it, so that a lost one is still missed. It is the listener who forgets, within its transaction and
a span at a time, when the books come to the end of one.
"""

from typing import Final

from sqlalchemy import text

from paimon.infrastructure.database.sessions import WriteSession

PRUNING_SPAN_BLOCKS: Final = 1_000
"""Blocks."""
RECENT_BLOCKS: Final = 100 * PRUNING_SPAN_BLOCKS
"""Blocks whose headers all stay, where they were recorded one by one: at 0.45 s half a day."""

_PRUNE_HEADERS: Final = text("""
    WITH quiet AS (
        SELECT number FROM derived.blocks AS block
         WHERE number > :begin AND number < :end AND number > (SELECT min(number) FROM derived.blocks)
           AND NOT EXISTS (SELECT FROM derived.raw_logs AS log WHERE log.block_number = block.number)
           AND NOT EXISTS (SELECT FROM derived.observations AS seen WHERE seen.block_number = block.number)),
    forgotten AS (DELETE FROM derived.blocks USING quiet WHERE blocks.number = quiet.number)
    UPDATE derived.blocks AS block
       SET previous_kept_number = kept.before
      FROM (SELECT number, lag(number) OVER (ORDER BY number) AS before
              FROM derived.blocks
             WHERE number >= coalesce((SELECT max(number) FROM derived.blocks WHERE number <= :begin), 0)
               AND number <= (SELECT min(number) FROM derived.blocks WHERE number >= :end)
               AND number NOT IN (SELECT number FROM quiet)) AS kept
     WHERE block.number = kept.number AND block.previous_kept_number <> kept.before
""")


async def prune_headers(session: WriteSession, first: int, last: int) -> None:
    """Forget what the recording of blocks `first` to `last` has made old."""
    for end in range(-(-first // PRUNING_SPAN_BLOCKS) * PRUNING_SPAN_BLOCKS, last + 1, PRUNING_SPAN_BLOCKS):
        await session.execute(_PRUNE_HEADERS, {"begin": end - RECENT_BLOCKS - PRUNING_SPAN_BLOCKS, "end": end - RECENT_BLOCKS})
