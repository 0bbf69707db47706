"""Prune old headers of blocks without logs: a chain makes 70 million blocks a year, and the fund is in few of them.

Kept are the recent blocks, blocks with logs or observations, every PRUNING_SPAN_BLOCKS-th block, and the fund's first block.
Each kept block names the one kept before it, so that a lost one is still noticed. The listener prunes in its own transaction,
one span at a time, whenever the recorded chain reaches the end of a span.
"""

from collections.abc import Iterator
from typing import Final

PRUNING_SPAN_BLOCKS: Final = 1_000
"""Blocks."""
RECENT_BLOCKS: Final = 100 * PRUNING_SPAN_BLOCKS
"""Newest blocks whose headers all stay, as far as they were recorded: half a day at 0.45 s a block."""


def spans_to_prune(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the spans, by their two kept ends, that became old when blocks `first` to `last` were recorded."""
    for end in range(-(-first // PRUNING_SPAN_BLOCKS) * PRUNING_SPAN_BLOCKS, last + 1, PRUNING_SPAN_BLOCKS):
        yield end - RECENT_BLOCKS - PRUNING_SPAN_BLOCKS, end - RECENT_BLOCKS
