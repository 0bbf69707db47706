"""What becomes of a log that is not final is decided by its block alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.chain.pending_logs import Fate, SeenLog, fates
from paimon.domain.kernel.chain import Hash32

pytestmark = pytest.mark.unit

hashes = st.integers(0, 5).map(lambda fork: Hash32(bytes([fork]) * 32))
seen_logs = st.builds(SeenLog, st.integers(1, 12), hashes, st.integers(0, 3))


@given(st.sets(seen_logs), st.dictionaries(st.integers(1, 14), hashes), st.integers(0, 13), st.sets(hashes))
def test_every_log_ends_exactly_as_its_block_does(
    known: set[SeenLog], head: dict[int, Hash32], recorded_until: int, recorded: set[Hash32]
) -> None:
    ended = fates(known, head, recorded_until=recorded_until, recorded=recorded)
    for log in known:
        if log.block_number <= recorded_until:
            assert ended[log] is (Fate.FINAL if log.block_hash in recorded else Fate.WITHDRAWN)
        elif log.block_number in head and head[log.block_number] != log.block_hash:
            assert ended[log] is Fate.WITHDRAWN
        else:
            assert log not in ended, "nothing is known of its block that would end it"
    assert ended.keys() <= known


@given(st.sets(seen_logs), st.integers(0, 13), st.sets(hashes))
def test_a_node_that_has_gone_back_withdraws_nothing(known: set[SeenLog], recorded_until: int, recorded: set[Hash32]) -> None:
    above = {log for log in known if log.block_number > recorded_until}
    assert not above & fates(known, {}, recorded_until=recorded_until, recorded=recorded).keys()
