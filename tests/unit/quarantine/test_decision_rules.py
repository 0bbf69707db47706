"""Rules of operators' decisions: which are possible, and which one about a log counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.risk.operator_decision import (
    LOG_DECISIONS,
    LogKey,
    OperatorDecisionKind,
    log_decision_rejection,
    message_replay_rejection,
    skipped_logs,
)

pytestmark = pytest.mark.unit

KEYS = st.builds(LogKey, st.sampled_from([b"a", b"b"]), st.integers(0, 2))
DECISIONS = st.lists(st.tuples(KEYS, st.sampled_from(LOG_DECISIONS)), max_size=12)


@given(DECISIONS)
def test_last_decision_about_a_log_counts(decisions: list[tuple[LogKey, OperatorDecisionKind]]) -> None:
    skipped = skipped_logs(decisions)
    for key in {key for key, _ in decisions}:
        about_log = [kind for log, kind in decisions if log == key]
        assert (key in skipped) == (about_log[-1] is OperatorDecisionKind.SKIP_LOG)
    assert skipped <= {key for key, _ in decisions}


@given(DECISIONS, KEYS)
def test_skipped_log_can_be_released(decisions: list[tuple[LogKey, OperatorDecisionKind]], key: LogKey) -> None:
    skipped = skipped_logs([*decisions, (key, OperatorDecisionKind.SKIP_LOG)])
    assert key in skipped
    assert skipped_logs([*decisions, (key, OperatorDecisionKind.RELEASE_LOG)]) == skipped - {key}


@pytest.mark.parametrize(
    ("kind", "quarantined", "skipped", "possible"),
    [
        (OperatorDecisionKind.RELEASE_LOG, True, False, True),
        (OperatorDecisionKind.RELEASE_LOG, False, True, True),
        (OperatorDecisionKind.RELEASE_LOG, False, False, False),
        (OperatorDecisionKind.SKIP_LOG, True, False, True),
        (OperatorDecisionKind.SKIP_LOG, False, True, False),
        (OperatorDecisionKind.SKIP_LOG, False, False, False),
    ],
)
def test_log_decision_is_possible_by_status(
    kind: OperatorDecisionKind, quarantined: bool, skipped: bool, possible: bool
) -> None:
    assert (log_decision_rejection(kind, is_quarantined=quarantined, is_skipped=skipped) is None) is possible


@pytest.mark.parametrize(
    ("is_dead_lettered", "done", "possible"), [(True, False, True), (False, False, False), (False, True, False)]
)
def test_only_dead_lettered_message_can_be_replayed(is_dead_lettered: bool, done: bool, possible: bool) -> None:
    assert (message_replay_rejection(is_dead_lettered=is_dead_lettered, is_done=done) is None) is possible
