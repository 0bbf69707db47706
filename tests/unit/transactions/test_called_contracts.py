"""The contracts whose changes must be confirmed before a call is signed, also those that a Safe calls, alone or in a batch."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from paimon.application.transactions.driver.called_contracts import contracts_to_confirm
from paimon.domain.kernel.chain import Address
from paimon.domain.transaction.intent import Intent
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import Call, IntentKind, IntentStatus
from paimon.domain.transaction.multi_send import build_safe_transaction
from paimon.domain.transaction.safe_transaction import rejection_transaction
from paimon.infrastructure.blockchain.contracts.safe import build_execution_call

pytestmark = pytest.mark.unit

SAFE, MULTI_SEND, VAULT, CONTROLLER = (Address(bytes([number]) * 20) for number in range(1, 5))
PAUSE = bytes.fromhex("8456cb59")
BUY = Call(CONTROLLER, b"\x01\x02\x03\x04")
SWITCH = Call(VAULT, b"\x05\x06\x07\x08")


def intent(kind: IntentKind, call: Call) -> Intent:
    now = datetime(2026, 1, 31, tzinfo=UTC)
    return Intent(
        id=UUID(int=1),
        idempotency_key="a key",
        kind=kind,
        wallet=SAFE,
        call=call,
        subject=IntentSubject.redemption(1),
        ticket_id=None,
        status=IntentStatus.QUEUED,
        unfunded=False,
        reason=None,
        created_at=now,
        next_check_at=now,
        unknown_since=None,
        expires_at=None,
        aborting_as=None,
        abort_reason=None,
        closed_at=None,
    )


def named(kind: IntentKind, call: Call) -> set[Address]:
    return set(contracts_to_confirm(intent(kind, call), multi_send=MULTI_SEND))


def executed(*calls: Call) -> Call:
    return build_execution_call(SAFE, build_safe_transaction(calls, 0, multi_send=MULTI_SEND), b"")


def test_call_of_a_key_names_its_contract() -> None:
    assert named(IntentKind.SETTLE_REDEMPTION, BUY) == {CONTROLLER}


@pytest.mark.parametrize(
    ("call", "contracts"),
    [
        (executed(BUY), {CONTROLLER}),
        (executed(BUY, SWITCH), {CONTROLLER, VAULT}),
        (executed(BUY, Call(VAULT, PAUSE)), {CONTROLLER}),
        (executed(Call(VAULT, PAUSE)), set()),
        (executed(Call(VAULT, PAUSE + bytes(32))), {VAULT}),
        (build_execution_call(SAFE, rejection_transaction(0, SAFE), b""), {SAFE}),
        (Call(SAFE, b"none of a Safe"), {SAFE}),
    ],
)
def test_execution_of_a_safe_names_what_the_safe_calls(call: Call, contracts: set[Address]) -> None:
    assert named(IntentKind.EXECUTE_SAFE, call) == contracts
