"""Size of the next block range, when the number of logs in it is unknown."""

RANGE_GROWTH_MAX = 4
"""Largest growth from one range to the next: a quiet range says little about the next one."""


def next_range_size(blocks: int, result_count: int, *, items_target: int, blocks_max: int) -> int:
    """Estimate how many blocks hold `items_target` items, from a range of `blocks` blocks that held `result_count`.

    The size grows by at most RANGE_GROWTH_MAX and shrinks as far as needed, from 1 to `blocks_max`. `blocks` is at least 1.
    """
    target_blocks = blocks * items_target // result_count if result_count else blocks_max
    return max(1, min(target_blocks, blocks * RANGE_GROWTH_MAX, blocks_max))
