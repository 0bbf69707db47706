"""Which calls wait while the change of a contract is not confirmed, also those that a Safe makes, alone or in a batch."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from paimon.application.transactions.driver.changed_contracts import waits_for_confirmation
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
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


def is_held(kind: IntentKind, call: Call) -> bool:
    return waits_for_confirmation(intent(kind, call), multi_send=MULTI_SEND)


def executed(*calls: Call) -> Call:
    return build_execution_call(SAFE, build_safe_transaction(calls, 0, multi_send=MULTI_SEND), b"")


@pytest.mark.parametrize(
    ("call", "held"),
    [
        (BUY, True),
        (Call(VAULT, PAUSE), False),
        (Call(VAULT, PAUSE + bytes(32)), True),
        (Call(SAFE, b""), True),  # a key's plain transfer is no rejection
    ],
)
def test_change_holds_every_call_of_a_key_but_a_pause(call: Call, held: bool) -> None:
    assert is_held(IntentKind.PLAN_STEP, call) is held


@pytest.mark.parametrize(
    ("call", "held"),
    [
        (executed(BUY), True),
        (executed(BUY, SWITCH), True),
        (executed(Call(VAULT, PAUSE), BUY), True),
        (executed(Call(VAULT, PAUSE)), False),
        (executed(Call(VAULT, PAUSE), Call(CONTROLLER, PAUSE)), False),
        (executed(Call(VAULT, PAUSE + bytes(32))), True),
        (executed(Call(VAULT, b"")), True),
        (executed(Call(SAFE, b"", RawAmount(1))), True),
        (build_execution_call(SAFE, rejection_transaction(0, SAFE), b""), False),
        (Call(SAFE, b"none of a Safe"), True),
    ],
)
def test_change_holds_what_a_safe_executes_but_pauses_and_a_rejection(call: Call, held: bool) -> None:
    assert is_held(IntentKind.EXECUTE_SAFE, call) is held
