"""When a deed of the transaction desk makes sense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.strategies import EPOCH, address

from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.eip712 import VoteScope
from paimon.domain.transaction.lifecycle import OPEN_INTENTS, IntentStatus
from paimon.domain.transaction.operator_action import (
    INTENT_DEEDS,
    RETRIABLE,
    DeedKind,
    Standing,
    Subject,
    deed_document,
    why_not,
)

pytestmark = pytest.mark.unit

NONCES = st.none() | st.integers(0, 3)
STANDINGS = st.builds(
    Standing,
    st.sampled_from(IntentStatus),
    st.booleans(),
    NONCES,
    st.none() | st.integers(1, 9),
    NONCES,
    st.booleans(),
    st.booleans(),
)


@given(st.sampled_from(INTENT_DEEDS), STANDINGS)
def test_nothing_is_done_to_what_has_its_effect_and_nothing_is_tried_twice_at_once(kind: DeedKind, now: Standing) -> None:
    if why_not(kind, now) is not None:
        return
    if kind is DeedKind.RETRY:
        assert now.status in RETRIABLE
        assert not now.has_later_try
        assert not now.has_limits, "its limits are weighed anew only when the plan is handed in again"
    else:
        assert now.status in OPEN_INTENTS
        assert now.mined_at is None
    if kind is DeedKind.SPEED_UP:
        assert now.status is IntentStatus.SENDING
        assert now.nonce == now.lowest


@given(STANDINGS)
def test_what_is_open_and_not_mined_can_be_cancelled_once(now: Standing) -> None:
    possible = now.status in OPEN_INTENTS and now.mined_at is None and not now.given_up
    assert (why_not(DeedKind.CANCEL, now) is None) is possible


def test_an_open_status_has_no_effect_and_a_retriable_one_neither() -> None:
    assert not RETRIABLE & (OPEN_INTENTS | {IntentStatus.FINAL, IntentStatus.SATISFIED_ELSEWHERE})


def test_two_deeds_are_never_signed_by_one_document() -> None:
    def document(kind: DeedKind, subject: Subject, nonce: int) -> str:
        scope = VoteScope(31337, address(9))
        return str(deed_document(kind, subject, "", nonce=Hash32(bytes([nonce]) * 32), expires_at=EPOCH, scope=scope))

    subjects = [Subject(address(1), None, "a"), Subject(address(2), None, "a"), Subject(address(1), None, "b")]
    every = [document(kind, subject, nonce) for kind in DeedKind for subject in subjects for nonce in (1, 2)]
    assert len(set(every)) == len(every)
