"""How many blocks to ask for at once, when nobody knows how many logs are in them."""

GROWTH_MAX = 4
"""A quiet stretch says little about the next one, so the step grows by no more than this at a time."""


def next_step(blocks: int, found: int, *, wanted: int, blocks_max: int) -> int:
    """Blocks that hold about `wanted` logs, or whatever is counted, by those of the last stretch; from 1 to `blocks_max`.

    It grows by GROWTH_MAX at most and shrinks as far as it must. `blocks` is at least 1.
    """
    fitting = blocks * wanted // found if found else blocks_max
    return max(1, min(fitting, blocks * GROWTH_MAX, blocks_max))
