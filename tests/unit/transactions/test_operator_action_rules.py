"""The rules of operator actions: when an action on an intent is possible."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.strategies import EPOCH, address

from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.eip712 import SignatureTerms, SigningScope
from paimon.domain.transaction.lifecycle import OPEN_INTENTS, IntentStatus
from paimon.domain.transaction.operator_action import (
    INTENT_ACTIONS,
    RETRIABLE_STATUSES,
    ActionKind,
    ActionPreconditions,
    ActionTarget,
    action_content,
    rejection_reason,
)

pytestmark = pytest.mark.unit

NONCES = st.none() | st.integers(0, 3)
STANDINGS = st.builds(
    ActionPreconditions,
    st.sampled_from(IntentStatus),
    st.booleans(),
    NONCES,
    st.none() | st.integers(1, 9),
    NONCES,
    st.booleans(),
    st.booleans(),
)


@given(st.sampled_from(INTENT_ACTIONS), STANDINGS)
def test_intent_with_its_effect_or_a_later_retry_takes_no_action(kind: ActionKind, now: ActionPreconditions) -> None:
    if rejection_reason(kind, now) is not None:
        return
    if kind is ActionKind.RETRY:
        assert now.status in RETRIABLE_STATUSES
        assert not now.has_later_retry
        assert not now.has_spending_limits, "its limits are checked again only when the plan is submitted again"
    else:
        assert now.status in OPEN_INTENTS
        assert now.mined_block is None
    if kind is ActionKind.SPEED_UP:
        assert now.status is IntentStatus.SENDING
        assert now.nonce == now.lowest_open_nonce


@given(STANDINGS)
def test_open_unmined_intent_can_be_cancelled_once(now: ActionPreconditions) -> None:
    possible = now.status in OPEN_INTENTS and now.mined_block is None and not now.is_aborting
    assert (rejection_reason(ActionKind.CANCEL, now) is None) is possible


def test_open_and_retriable_statuses_are_disjoint() -> None:
    assert not RETRIABLE_STATUSES & (OPEN_INTENTS | {IntentStatus.FINAL, IntentStatus.SATISFIED_EXTERNALLY})


def test_different_actions_have_different_documents() -> None:
    def document(kind: ActionKind, target: ActionTarget, nonce: int) -> str:
        terms = SignatureTerms(Hash32(bytes([nonce]) * 32), EPOCH)
        return str(action_content(kind, target).document("", terms, SigningScope(31337, address(9))))

    subjects = [ActionTarget(address(1), None, "a"), ActionTarget(address(2), None, "a"), ActionTarget(address(1), None, "b")]
    every = [document(kind, target, nonce) for kind in ActionKind for target in subjects for nonce in (1, 2)]
    assert len(set(every)) == len(every)
