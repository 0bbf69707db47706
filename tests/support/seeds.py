"""Seeds of random scenarios in groups, a test each, so that test processes share them.

    @pytest.mark.parametrize("seeds", seed_groups(SEED, CHAOS_RUNS, size=25), ids=group_name)

Each seed is drawn and checked by itself. The size of a group decides only how long one test takes.
"""


def seed_groups(first: int, count: int, *, size: int) -> list[range]:
    """Split the `count` seeds from `first` on into groups of `size`; the last may be smaller."""
    return [range(start, min(start + size, first + count)) for start in range(first, first + count, size)]


def group_name(seeds: range) -> str:
    """Name a group in a test's id: `seed-7`, `seeds-7-31`."""
    return f"seed-{seeds.start}" if len(seeds) == 1 else f"seeds-{seeds.start}-{seeds.stop - 1}"
