"""Tests that only a pending log's block decides how the log is resolved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.chain.pending_logs import PendingLogKey, PendingLogStatus, resolve_pending
from paimon.domain.kernel.chain import Hash32

pytestmark = pytest.mark.unit

hashes = st.integers(0, 5).map(lambda fork: Hash32(bytes([fork]) * 32))
seen_logs = st.builds(PendingLogKey, st.integers(1, 12), hashes, st.integers(0, 3))


@given(st.sets(seen_logs), st.dictionaries(st.integers(1, 14), hashes), st.integers(0, 13), st.sets(hashes))
def test_pending_log_resolves_as_its_block_does(
    known: set[PendingLogKey], head: dict[int, Hash32], recorded_block: int, recorded: set[Hash32]
) -> None:
    resolved = resolve_pending(known, head, recorded_block=recorded_block, recorded=recorded)
    for log in known:
        if log.block_number <= recorded_block:
            assert resolved[log] is (PendingLogStatus.FINALIZED if log.block_hash in recorded else PendingLogStatus.ORPHANED)
        elif log.block_number in head and head[log.block_number] != log.block_hash:
            assert resolved[log] is PendingLogStatus.ORPHANED
        else:
            assert log not in resolved, "nothing is known of its block that would end it"
    assert resolved.keys() <= known


@given(st.sets(seen_logs), st.integers(0, 13), st.sets(hashes))
def test_pending_log_stays_when_node_has_gone_back(
    known: set[PendingLogKey], recorded_block: int, recorded: set[Hash32]
) -> None:
    above = {log for log in known if log.block_number > recorded_block}
    assert not above & resolve_pending(known, {}, recorded_block=recorded_block, recorded=recorded).keys()
