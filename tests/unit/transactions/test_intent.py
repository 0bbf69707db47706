"""Intents and attempts as values: what each transition writes, and what holds in every order of events."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.transaction.attempt import (
    Attempt,
    AttemptReceipt,
    mark_dropped,
    mark_final,
    mark_mined,
    mark_reorganised,
    mark_replaced,
)
from paimon.domain.transaction.intent import UNKNOWN_PREFIX, IntentWithAttempts
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import (
    OPEN_ATTEMPTS,
    AttemptStatus,
    BroadcastChannel,
    Call,
    EffectStatus,
    IllegalTransition,
    IntentKind,
    IntentStatus,
    ending,
)

pytestmark = pytest.mark.unit

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=15)
WALLET = Address(bytes([1]) * 20)
INTENT_ID = UUID(int=1)


def make_attempt(number: int, *, nonce: int = 7, **changes: Any) -> Attempt:
    fields: dict[str, Any] = {
        "hash": Hash32(number.to_bytes(32)),
        "intent_id": INTENT_ID,
        "wallet": WALLET,
        "nonce": nonce,
        "gas_limit": 100,
        "max_fee_wei": number,
        "priority_fee_wei": 1,
        "raw": b"",
        "channel": BroadcastChannel.PUBLIC,
        "signed_at_block": 1,
        "created_at": NOW,
    }
    return Attempt(**fields | changes)


def make_intent(*attempts: Attempt, **changes: Any) -> IntentWithAttempts:
    fields: dict[str, Any] = {
        "id": INTENT_ID,
        "idempotency_key": "settle-redemption:1",
        "kind": IntentKind.SETTLE_REDEMPTION,
        "wallet": WALLET,
        "call": Call(WALLET, b""),
        "subject": IntentSubject.redemption(1),
        "ticket_id": None,
        "status": IntentStatus.SENDING if attempts else IntentStatus.QUEUED,
        "unfunded": False,
        "reason": None,
        "created_at": NOW,
        "next_check_at": NOW,
        "unknown_since": None,
        "expires_at": None,
        "aborting_as": None,
        "abort_reason": None,
        "closed_at": None,
        "attempts": attempts,
    }
    return IntentWithAttempts(**fields | changes)


def receipt_of(attempt: Attempt, block: int = 9) -> AttemptReceipt:
    return AttemptReceipt(attempt.hash, block, Hash32(block.to_bytes(32)), succeeded=True, gas_used=50)


def test_reorganised_attempt_forgets_its_block_and_receipt() -> None:
    sent = make_attempt(1, status=AttemptStatus.BROADCAST)
    mined = sent.mined(receipt_of(sent))
    assert (mined.status, mined.block_number, mined.succeeded, mined.gas_used) == (AttemptStatus.MINED, 9, True, 50)
    assert mined.reorganised() == sent


def test_successful_self_send_is_no_successful_call() -> None:
    assert make_attempt(1, succeeded=True).is_call_successful
    assert not make_attempt(1, succeeded=True, is_cancellation=True).is_call_successful
    assert not make_attempt(1, succeeded=False).is_call_successful


def test_current_attempts_are_those_at_the_newest_nonce() -> None:
    spent, first, second = make_attempt(1, nonce=6, status=AttemptStatus.FINAL), make_attempt(2), make_attempt(3)
    intent = make_intent(spent, first, second)
    assert (intent.nonce, intent.current_attempts, intent.is_nonce_spent) == (7, (first, second), False)
    assert intent.reserved_wei == 300, "the dearest attempt counts"
    assert intent.with_current(mark_dropped).attempts[0] == spent, "earlier nonces stay as they are"


def test_intent_in_flight_keeps_its_status_when_it_aborts() -> None:
    intent = make_intent(make_attempt(1)).aborting(IntentStatus.CANCELLED, "not needed")
    assert (intent.status, intent.is_aborting, intent.reason) == (IntentStatus.SENDING, True, "not needed")
    assert intent.blocked("stuck").unblocked().reason == "not needed", "the abort's reason comes back"


def test_requeued_intent_waits_for_its_next_check() -> None:
    intent = make_intent(unknown_since=NOW).requeued("not due", next_check_at=LATER)
    assert (intent.status, intent.reason) == (IntentStatus.QUEUED, "not due")
    assert (intent.next_check_at, intent.unknown_since) == (LATER, None)


def test_unknown_state_keeps_the_time_since_when_it_is_unknown() -> None:
    first = make_intent(make_attempt(1)).state_unknown("no state", now=NOW, next_check_at=LATER)
    again = first.state_unknown("no receipt", now=LATER, next_check_at=LATER)
    assert (again.unknown_since, again.reason) == (NOW, f"{UNKNOWN_PREFIX}no receipt")
    known = again.state_known()
    assert (known.unknown_since, known.reason) == (None, None)
    assert again.blocked("stuck").state_known().reason == "stuck", "another reason stays"


def test_closed_intent_is_neither_unfunded_nor_unknown() -> None:
    intent = make_intent(make_attempt(1), unfunded=True, unknown_since=NOW).closed(IntentStatus.FINAL, None, at=LATER)
    assert (intent.status, intent.unfunded, intent.unknown_since) == (IntentStatus.FINAL, False, None)
    assert (intent.closed_at, intent.reason) == (LATER, None)


def test_closed_intent_takes_no_further_step() -> None:
    closed = make_intent().closed(IntentStatus.CANCELLED, "obsolete", at=NOW)
    steps: list[Callable[[], object]] = [
        lambda: closed.requeued("again", next_check_at=LATER),
        lambda: closed.simulated("no signer"),
        lambda: closed.closed(IntentStatus.FINAL, None, at=LATER),
    ]
    for step in steps:
        with pytest.raises(IllegalTransition):
            step()


class OneNonce(RuleBasedStateMachine):
    """An intent with attempts at one nonce, on a chain that mines any of them, reorganises, and becomes final."""

    @initialize()
    def start(self) -> None:
        self.numbers = count(1)
        self.intent = make_intent(make_attempt(next(self.numbers)))
        self.ended: tuple[Attempt, ...] | None = None

    @property
    def statuses(self) -> list[AttemptStatus]:
        return [attempt.status for attempt in self.intent.attempts]

    def _has(self, status: AttemptStatus) -> bool:
        return status in self.statuses

    @precondition(lambda self: self._has(AttemptStatus.SIGNED))
    @rule()
    def node_acknowledges(self) -> None:
        self.intent = self.intent.with_current(
            lambda attempts: [
                replace(attempt, status=AttemptStatus.BROADCAST) if attempt.status is AttemptStatus.SIGNED else attempt
                for attempt in attempts
            ]
        )

    @precondition(lambda self: self.ended is None and not self._has(AttemptStatus.MINED) and len(self.statuses) < 5)
    @rule()
    def attempt_is_replaced(self) -> None:
        replaced = self.intent.with_current(mark_replaced)
        self.intent = make_intent(*replaced.attempts, make_attempt(next(self.numbers)))

    @precondition(lambda self: self.ended is None)
    @rule(data=st.data())
    def receipt_is_found(self, data: st.DataObject) -> None:
        receipt = receipt_of(data.draw(st.sampled_from(self.intent.attempts)), data.draw(st.integers(1, 3)))
        self.intent = self.intent.with_current(lambda attempts: mark_mined(attempts, receipt))
        (mined,) = (attempt for attempt in self.intent.attempts if attempt.status is AttemptStatus.MINED)
        assert (mined.hash, mined.block_hash) == (receipt.hash, receipt.block_hash)

    @precondition(lambda self: self._has(AttemptStatus.MINED))
    @rule()
    def block_is_reorganised_away(self) -> None:
        self.intent = self.intent.with_current(mark_reorganised)

    @precondition(lambda self: self._has(AttemptStatus.MINED))
    @rule(effect=st.sampled_from(EffectStatus), succeeded=st.booleans())
    def block_becomes_final(self, effect: EffectStatus, succeeded: bool) -> None:
        final = self.intent.with_current(mark_final)
        self.intent = final.closed(ending(effect, ours_succeeded=succeeded) or IntentStatus.REVERTED, None, at=NOW)
        assert self.intent.final_attempt is not None
        self.ended = self.intent.attempts

    @precondition(lambda self: self.ended is None and not self._has(AttemptStatus.MINED))
    @rule(effect=st.sampled_from(EffectStatus))
    def nonce_is_used_externally(self, effect: EffectStatus) -> None:
        dropped = self.intent.with_current(mark_dropped)
        end_status = ending(effect, ours_succeeded=False)
        if end_status is None:
            self.intent = dropped.requeued("used externally", next_check_at=NOW)
        else:
            self.intent = dropped.closed(end_status, None, at=NOW)
        assert self.intent.final_attempt is None
        self.ended = self.intent.attempts

    @precondition(lambda self: self.ended is not None)
    @rule()
    def no_attempt_moves_after_the_end(self) -> None:
        for attempt in self.intent.attempts:
            for step in (attempt.final, attempt.reorganised):
                with pytest.raises(IllegalTransition):
                    step()

    @invariant()
    def at_most_one_attempt_is_mined(self) -> None:
        assert sum(status in (AttemptStatus.MINED, AttemptStatus.FINAL) for status in self.statuses) <= 1

    @invariant()
    def only_a_mined_attempt_has_a_block(self) -> None:
        for attempt in self.intent.attempts:
            has_block = attempt.status in (AttemptStatus.MINED, AttemptStatus.FINAL)
            assert (attempt.block_hash is not None) == has_block

    @invariant()
    def at_most_one_attempt_is_unacknowledged(self) -> None:
        assert self.statuses.count(AttemptStatus.SIGNED) <= 1

    @invariant()
    def final_nonce_never_changes(self) -> None:
        if self.ended is not None:
            assert self.intent.attempts == self.ended
            assert self.intent.is_nonce_spent
            assert not OPEN_ATTEMPTS & set(self.statuses)
        else:
            assert self.intent.status is IntentStatus.SENDING


TestOneNonce = OneNonce.TestCase
