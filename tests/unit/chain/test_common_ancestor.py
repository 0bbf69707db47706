"""Tests that the search finds the fork in few probes, whichever headers are kept and wherever the chain changed."""

from bisect import bisect_right
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.chain.common_ancestor import AncestorNotFound, AncestorProbe, Fork, search_ancestor

pytestmark = pytest.mark.unit


def run(recorded: Sequence[int], *, changed_from: int) -> tuple[Fork, int]:
    """Run the search over recorded blocks that left the chain from `changed_from` on; count the probes."""
    search = search_ancestor(recorded[-1] if recorded else 0)
    number, probes = next(search), 0
    while True:
        probes += 1
        index = bisect_right(recorded, number)
        try:
            number = search.send(AncestorProbe(recorded[index - 1], recorded[index - 1] < changed_from) if index else None)
        except StopIteration as found:
            return found.value, probes


recorded_blocks = st.sets(st.integers(1, 3_000), min_size=1, max_size=200).map(sorted)


@given(recorded_blocks, st.integers(0, 3_001))
def test_search_finds_ancestor_and_first_changed_block(recorded: list[int], changed_from: int) -> None:
    on_chain = [block for block in recorded if block < changed_from]
    gone = [block for block in recorded if block >= changed_from]
    if not on_chain:
        with pytest.raises(AncestorNotFound, match=f"oldest recorded block, {recorded[0]}, is not on the chain"):
            run(recorded, changed_from=changed_from)
        return
    fork, _ = run(recorded, changed_from=changed_from)
    assert fork == Fork(on_chain[-1], gone[0] if gone else None)


@given(st.integers(2, 100_000), st.data())
def test_search_takes_few_probes_when_change_is_shallow(length: int, data: st.DataObject) -> None:
    depth = data.draw(st.integers(1, min(32, length - 1)))
    fork, probes = run(range(1, length + 1), changed_from=length - depth + 1)
    assert fork == Fork(length - depth, length - depth + 1)
    assert probes <= 20


def test_search_fails_without_recorded_block() -> None:
    with pytest.raises(AncestorNotFound, match="no block is recorded"):
        run([], changed_from=1)
