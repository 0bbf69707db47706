"""The life of intents and attempts: which steps exist, and what can never happen whatever the order of events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import OnChainStatus
from paimon.domain.transaction.lifecycle import (
    ATTEMPT_TRANSITIONS,
    INTENT_TRANSITIONS,
    OPEN_ATTEMPTS,
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
def test_an_intent_takes_only_the_steps_of_its_table(status: IntentStatus, to: IntentStatus) -> None:
    stays = to is status and status in OPEN_INTENTS
    if stays or to in INTENT_TRANSITIONS.get(status, ()):
        assert advance_intent(status, to) is to
    else:
        with pytest.raises(IllegalTransition, match="cannot become"):
            advance_intent(status, to)


@given(st.sampled_from(AttemptStatus), st.sampled_from(AttemptStatus))
def test_an_attempt_takes_only_the_steps_of_its_table(status: AttemptStatus, to: AttemptStatus) -> None:
    stays = to is status and status in ATTEMPT_TRANSITIONS
    if stays or to in ATTEMPT_TRANSITIONS.get(status, ()):
        assert advance_attempt(status, to) is to
    else:
        with pytest.raises(IllegalTransition, match="cannot become"):
            advance_attempt(status, to)


def test_the_open_intents_are_exactly_those_with_a_next_step() -> None:
    assert frozenset(INTENT_TRANSITIONS) == OPEN_INTENTS


def test_only_a_sent_intent_can_be_final_or_reverted() -> None:
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
def test_the_request_tells_whether_the_effect_is_due(kind: IntentKind, status: OnChainStatus, effect: EffectStatus) -> None:
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
def test_an_intent_ends_by_its_effect(effect: EffectStatus, ours_succeeded: bool, status: IntentStatus | None) -> None:
    assert ending(effect, ours_succeeded=ours_succeeded) is status


Payload = tuple[IntentKind, Address, Call]
PAYLOADS = st.tuples(
    st.sampled_from(IntentKind),
    ADDRESSES,
    st.builds(Call, ADDRESSES, st.binary(max_size=80), st.integers(0, 2**256 - 1).map(RawAmount)),
)


@given(PAYLOADS, PAYLOADS)
def test_equal_hashes_mean_equal_payloads(
    one: tuple[IntentKind, Address, Call], other: tuple[IntentKind, Address, Call]
) -> None:
    assert (payload_hash(*one) == payload_hash(*other)) == (one == other)


class OneNonce(RuleBasedStateMachine):
    """An intent with attempts at one nonce, on a chain that mines any of them, reorganises, and becomes final."""

    @initialize()
    def start(self) -> None:
        self.intent = advance_intent(advance_intent(IntentStatus.QUEUED, IntentStatus.SIMULATED), IntentStatus.SENDING)
        self.attempts = [AttemptStatus.SIGNED]
        self.ended: list[AttemptStatus] | None = None

    def _has(self, status: AttemptStatus) -> bool:
        return status in self.attempts

    @precondition(lambda self: self._has(AttemptStatus.SIGNED))
    @rule()
    def the_node_acknowledges(self) -> None:
        at = self.attempts.index(AttemptStatus.SIGNED)
        self.attempts[at] = advance_attempt(self.attempts[at], AttemptStatus.BROADCAST)

    @precondition(lambda self: self.ended is None and not self._has(AttemptStatus.MINED) and len(self.attempts) < 5)
    @rule()
    def it_is_stuck_and_replaced(self) -> None:
        for at, status in enumerate(self.attempts):
            if status in (AttemptStatus.SIGNED, AttemptStatus.BROADCAST):
                self.attempts[at] = advance_attempt(status, AttemptStatus.REPLACED)
        self.attempts.append(AttemptStatus.SIGNED)

    @precondition(lambda self: self.ended is None)
    @rule(data=st.data())
    def a_receipt_is_found(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.attempts) - 1))
        for other, status in enumerate(self.attempts):
            if other != at and status is AttemptStatus.MINED:
                self.attempts[other] = advance_attempt(status, AttemptStatus.BROADCAST)
        self.attempts[at] = advance_attempt(self.attempts[at], AttemptStatus.MINED)

    @precondition(lambda self: self._has(AttemptStatus.MINED))
    @rule()
    def the_block_is_reorganised_away(self) -> None:
        at = self.attempts.index(AttemptStatus.MINED)
        self.attempts[at] = advance_attempt(AttemptStatus.MINED, AttemptStatus.BROADCAST)

    @precondition(lambda self: self._has(AttemptStatus.MINED))
    @rule(effect=st.sampled_from(EffectStatus), succeeded=st.booleans())
    def the_block_is_final(self, effect: EffectStatus, succeeded: bool) -> None:
        at = self.attempts.index(AttemptStatus.MINED)
        self.attempts[at] = advance_attempt(AttemptStatus.MINED, AttemptStatus.FINAL)
        for other, status in enumerate(self.attempts):
            if status in OPEN_ATTEMPTS:
                self.attempts[other] = advance_attempt(status, AttemptStatus.REPLACED)
        self.intent = advance_intent(self.intent, ending(effect, ours_succeeded=succeeded) or IntentStatus.REVERTED)
        self.ended = list(self.attempts)

    @precondition(lambda self: self.ended is None and not self._has(AttemptStatus.MINED))
    @rule(effect=st.sampled_from(EffectStatus))
    def the_nonce_is_used_elsewhere(self, effect: EffectStatus) -> None:
        self.attempts = [advance_attempt(each, AttemptStatus.DROPPED) for each in self.attempts]
        self.intent = advance_intent(self.intent, ending(effect, ours_succeeded=False) or IntentStatus.QUEUED)
        self.ended = list(self.attempts)

    @precondition(lambda self: self.ended is not None)
    @rule(to=st.sampled_from([AttemptStatus.SIGNED, AttemptStatus.BROADCAST, AttemptStatus.FINAL]))
    def nothing_moves_any_more(self, to: AttemptStatus) -> None:
        for status in self.attempts:
            with pytest.raises(IllegalTransition):
                advance_attempt(status, to)

    @invariant()
    def at_most_one_attempt_counts(self) -> None:
        assert sum(each in (AttemptStatus.MINED, AttemptStatus.FINAL) for each in self.attempts) <= 1

    @invariant()
    def at_most_one_attempt_is_unacknowledged(self) -> None:
        assert self.attempts.count(AttemptStatus.SIGNED) <= 1

    @invariant()
    def a_final_nonce_never_changes(self) -> None:
        if self.ended is not None:
            assert self.attempts == self.ended
            assert not OPEN_ATTEMPTS & set(self.attempts)
        else:
            assert self.intent is IntentStatus.SENDING


TestOneNonce = OneNonce.TestCase
