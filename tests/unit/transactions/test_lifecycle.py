"""The statuses of intents and attempts: the steps that exist, the ends by effect, and the hash of a payload."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import OnChainStatus
from paimon.domain.transaction.lifecycle import (
    ATTEMPT_TRANSITIONS,
    INTENT_TRANSITIONS,
    OPEN_INTENTS,
    AttemptStatus,
    Call,
    EffectStatus,
    IllegalTransition,
    IntentKind,
    IntentStatus,
    advance_attempt,
    advance_intent,
    effect_of,
    ending,
    payload_hash,
)

pytestmark = pytest.mark.unit

ADDRESSES = st.binary(min_size=20, max_size=20).map(Address)


@given(st.sampled_from(IntentStatus), st.sampled_from(IntentStatus))
def test_intent_takes_only_the_steps_of_its_table(status: IntentStatus, to: IntentStatus) -> None:
    stays = to is status and status in OPEN_INTENTS
    if stays or to in INTENT_TRANSITIONS.get(status, ()):
        assert advance_intent(status, to) is to
    else:
        with pytest.raises(IllegalTransition, match="cannot become"):
            advance_intent(status, to)


@given(st.sampled_from(AttemptStatus), st.sampled_from(AttemptStatus))
def test_attempt_takes_only_the_steps_of_its_table(status: AttemptStatus, to: AttemptStatus) -> None:
    stays = to is status and status in ATTEMPT_TRANSITIONS
    if stays or to in ATTEMPT_TRANSITIONS.get(status, ()):
        assert advance_attempt(status, to) is to
    else:
        with pytest.raises(IllegalTransition, match="cannot become"):
            advance_attempt(status, to)


def test_open_intents_are_exactly_those_with_a_next_step() -> None:
    assert frozenset(INTENT_TRANSITIONS) == OPEN_INTENTS


def test_only_a_sent_intent_becomes_final_or_reverted() -> None:
    for status in IntentStatus:
        if status is not IntentStatus.SENDING:
            assert not {IntentStatus.FINAL, IntentStatus.REVERTED} & INTENT_TRANSITIONS.get(status, frozenset())


@pytest.mark.parametrize(
    ("kind", "status", "effect"),
    [
        (IntentKind.APPROVE_REDEMPTION, OnChainStatus.PENDING_APPROVAL, EffectStatus.DUE),
        (IntentKind.APPROVE_REDEMPTION, OnChainStatus.APPROVED, EffectStatus.DONE),
        (IntentKind.APPROVE_REDEMPTION, OnChainStatus.SETTLED, EffectStatus.DONE),
        (IntentKind.APPROVE_REDEMPTION, OnChainStatus.CANCELLED, EffectStatus.IMPOSSIBLE),
        (IntentKind.REJECT_REDEMPTION, OnChainStatus.PENDING_APPROVAL, EffectStatus.DUE),
        (IntentKind.REJECT_REDEMPTION, OnChainStatus.CANCELLED, EffectStatus.DONE),
        (IntentKind.REJECT_REDEMPTION, OnChainStatus.APPROVED, EffectStatus.IMPOSSIBLE),
        (IntentKind.SETTLE_REDEMPTION, OnChainStatus.PENDING, EffectStatus.DUE),
        (IntentKind.SETTLE_REDEMPTION, OnChainStatus.APPROVED, EffectStatus.DUE),
        (IntentKind.SETTLE_REDEMPTION, OnChainStatus.SETTLED, EffectStatus.DONE),
        (IntentKind.SETTLE_REDEMPTION, OnChainStatus.CANCELLED, EffectStatus.IMPOSSIBLE),
    ],
)
def test_request_status_decides_whether_the_effect_is_due(
    kind: IntentKind, status: OnChainStatus, effect: EffectStatus
) -> None:
    assert effect_of(kind, status) is effect


@pytest.mark.parametrize(
    ("effect", "ours_succeeded", "status"),
    [
        (EffectStatus.DONE, True, IntentStatus.FINAL),
        (EffectStatus.DONE, False, IntentStatus.SATISFIED_EXTERNALLY),
        (EffectStatus.IMPOSSIBLE, False, IntentStatus.CANCELLED),
        (EffectStatus.DUE, False, None),
        (EffectStatus.DUE, True, IntentStatus.FAILED),
        (EffectStatus.IMPOSSIBLE, True, IntentStatus.FAILED),
    ],
)
def test_intent_ends_by_its_effect(effect: EffectStatus, ours_succeeded: bool, status: IntentStatus | None) -> None:
    assert ending(effect, ours_succeeded=ours_succeeded) is status


Payload = tuple[IntentKind, Address, Call]
PAYLOADS = st.tuples(
    st.sampled_from(IntentKind),
    ADDRESSES,
    st.builds(Call, ADDRESSES, st.binary(max_size=80), st.integers(0, 2**256 - 1).map(RawAmount)),
)


@given(PAYLOADS, PAYLOADS)
def test_payload_hashes_are_equal_for_equal_payloads_only(
    one: tuple[IntentKind, Address, Call], other: tuple[IntentKind, Address, Call]
) -> None:
    assert (payload_hash(*one) == payload_hash(*other)) == (one == other)
