"""The subject of an intent: what is put into its id comes out again, and two subjects never share an id."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.units import UINT256_MAX
from paimon.domain.transaction.intent_subject import IntentSubject, SubjectType
from paimon.domain.transaction.lifecycle import SUBJECT_TYPE_BY_INTENT_KIND, IntentKind

pytestmark = pytest.mark.unit

hashes = st.binary(min_size=32, max_size=32).map(Hash32)
call_indexes = st.integers(0, 255)


def shown(subject: IntentSubject) -> tuple[object, ...]:
    return subject.request_id, subject.safe_tx_hash, subject.plan_id, subject.plan_call_index


@given(st.uuids(), call_indexes)
def test_a_plan_call_names_its_plan_and_index_only(plan_id: UUID, call_index: int) -> None:
    assert shown(IntentSubject.plan_call(plan_id, call_index)) == (None, None, plan_id, call_index)


@given(hashes)
def test_a_safe_transaction_names_its_hash_only(safe_tx_hash: Hash32) -> None:
    assert shown(IntentSubject.safe_transaction(safe_tx_hash)) == (None, safe_tx_hash, None, None)


@given(st.integers(0, UINT256_MAX))
def test_a_redemption_names_its_request_only(request_id: int) -> None:
    assert shown(IntentSubject.redemption(request_id)) == (request_id, None, None, None)


@given(st.uuids(), call_indexes, st.uuids(), call_indexes)
def test_every_call_of_every_plan_has_an_id_of_its_own(
    plan_id: UUID, call_index: int, other_id: UUID, other_index: int
) -> None:
    same = (plan_id, call_index) == (other_id, other_index)
    assert (IntentSubject.plan_call(plan_id, call_index) == IntentSubject.plan_call(other_id, other_index)) == same


def test_every_kind_of_intent_has_a_subject_type() -> None:
    assert set(SUBJECT_TYPE_BY_INTENT_KIND) == set(IntentKind)
    assert set(SUBJECT_TYPE_BY_INTENT_KIND.values()) == set(SubjectType)
