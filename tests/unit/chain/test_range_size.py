"""Tests that the size of block ranges follows the density of logs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.chain.range_size import RANGE_GROWTH_MAX, next_range_size

pytestmark = pytest.mark.unit

BLOCKS = st.integers(1, 100_000)
LOGS = st.integers(0, 10**7)


@given(BLOCKS, LOGS, st.integers(1, 10_000), BLOCKS)
def test_next_range_size_stays_within_bounds(blocks: int, logs: int, items_target: int, blocks_max: int) -> None:
    size = next_range_size(blocks, logs, items_target=items_target, blocks_max=blocks_max)
    assert 1 <= size <= min(blocks_max, max(blocks * RANGE_GROWTH_MAX, 1))


@given(BLOCKS, st.integers(1, 10**7), st.integers(1, 10_000))
def test_next_range_holds_no_more_than_target_at_same_density(blocks: int, logs: int, items_target: int) -> None:
    size = next_range_size(blocks, logs, items_target=items_target, blocks_max=10**9)
    assert size * logs <= max(items_target * blocks, logs)


@given(BLOCKS, LOGS, st.integers(1, 1_000), st.integers(1, 10_000), BLOCKS)
def test_more_logs_never_give_a_larger_range(blocks: int, logs: int, more: int, items_target: int, blocks_max: int) -> None:
    size = next_range_size(blocks, logs + more, items_target=items_target, blocks_max=blocks_max)
    assert size <= next_range_size(blocks, logs, items_target=items_target, blocks_max=blocks_max)


def test_range_size_grows_to_thousands_over_quiet_blocks() -> None:
    size, steps = 16, 0
    while size < 5_000:
        size, steps = next_range_size(size, 0, items_target=5_000, blocks_max=5_000), steps + 1
    assert steps == 5
