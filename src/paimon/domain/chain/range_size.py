"""How many blocks to ask for at once, when nobody knows how many logs are in them."""

RANGE_GROWTH_MAX = 4
"""A quiet stretch says little about the next one, so the step grows by no more than this at a time."""


def next_range_size(blocks: int, result_count: int, *, items_target: int, blocks_max: int) -> int:
    """Blocks that hold about `items_target` logs, or whatever is counted, by those of the last stretch; from 1 to `blocks_max`.

    It grows by RANGE_GROWTH_MAX at most and shrinks as far as it must. `blocks` is at least 1.
    """
    target_blocks = blocks * items_target // result_count if result_count else blocks_max
    return max(1, min(target_blocks, blocks * RANGE_GROWTH_MAX, blocks_max))
