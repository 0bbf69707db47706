"""What may be decided about a reaction or a log, and which decision about a log counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.risk.operator_decision import LOG_REMEDIES, LogKey, RemedyKind, left_out, why_not_log, why_not_reaction

pytestmark = pytest.mark.unit

KEYS = st.builds(LogKey, st.sampled_from([b"a", b"b"]), st.integers(0, 2))
VERDICTS = st.lists(st.tuples(KEYS, st.sampled_from(LOG_REMEDIES)), max_size=12)


@given(VERDICTS)
def test_of_several_decisions_about_a_log_the_last_counts(verdicts: list[tuple[LogKey, RemedyKind]]) -> None:
    skipped = left_out(verdicts)
    for key in {key for key, _ in verdicts}:
        about_it = [kind for each, kind in verdicts if each == key]
        assert (key in skipped) == (about_it[-1] is RemedyKind.SKIP_LOG)
    assert skipped <= {key for key, _ in verdicts}


@given(VERDICTS, KEYS)
def test_what_is_skipped_can_be_released_and_then_skipped_again(verdicts: list[tuple[LogKey, RemedyKind]], key: LogKey) -> None:
    skipped = left_out([*verdicts, (key, RemedyKind.SKIP_LOG)])
    assert key in skipped
    assert left_out([*verdicts, (key, RemedyKind.RELEASE_LOG)]) == skipped - {key}


@pytest.mark.parametrize(
    ("kind", "quarantined", "skipped", "possible"),
    [
        (RemedyKind.RELEASE_LOG, True, False, True),
        (RemedyKind.RELEASE_LOG, False, True, True),
        (RemedyKind.RELEASE_LOG, False, False, False),
        (RemedyKind.SKIP_LOG, True, False, True),
        (RemedyKind.SKIP_LOG, False, True, False),
        (RemedyKind.SKIP_LOG, False, False, False),
    ],
)
def test_what_makes_sense_for_a_log(kind: RemedyKind, quarantined: bool, skipped: bool, possible: bool) -> None:
    assert (why_not_log(kind, quarantined=quarantined, skipped=skipped) is None) is possible


@pytest.mark.parametrize(("dead", "done", "possible"), [(True, False, True), (False, False, False), (False, True, False)])
def test_only_a_reaction_that_was_given_up_is_replayed(dead: bool, done: bool, possible: bool) -> None:
    assert (why_not_reaction(dead=dead, done=done) is None) is possible
