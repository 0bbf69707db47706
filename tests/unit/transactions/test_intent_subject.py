"""What an intent is about comes back out of the number that was kept of it."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.application.transactions.multisig.execute import proposal_number
from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.units import UINT256_MAX
from paimon.domain.transaction.intent_subject import IntentSubject, subject_of
from paimon.domain.transaction.lifecycle import IntentKind
from paimon.domain.transaction.plan import encode_plan_call_id

pytestmark = pytest.mark.unit

REDEMPTIONS = frozenset(IntentKind) - {IntentKind.PLAN_STEP, IntentKind.EXECUTE_SAFE}


@given(st.uuids(), st.integers(0, 255))
def test_a_step_is_of_its_plan_and_of_no_redemption(plan: UUID, call_index: int) -> None:
    assert subject_of(IntentKind.PLAN_STEP, encode_plan_call_id(plan, call_index)) == IntentSubject(
        plan_id=plan, plan_call_index=call_index
    )


@given(st.binary(min_size=32, max_size=32).map(Hash32))
def test_an_execution_is_of_what_the_owners_signed_and_of_no_redemption(hash_: Hash32) -> None:
    assert subject_of(IntentKind.EXECUTE_SAFE, proposal_number(hash_)) == IntentSubject(safe_tx_hash=hash_)


@given(st.sampled_from(sorted(REDEMPTIONS)), st.integers(0, UINT256_MAX))
def test_everything_else_is_of_a_redemption(kind: IntentKind, number: int) -> None:
    assert subject_of(kind, number) == IntentSubject(request_id=number)
