"""A plan's key, its document, and how it stands by what carries it out."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.strategies import address

from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.eip712 import VoteScope
from paimon.domain.kernel.units import UINT256_MAX, RawAmount
from paimon.domain.transaction.lifecycle import OPEN_INTENTS, Call, IntentStatus
from paimon.domain.transaction.plan import (
    PlanOrder,
    PlanState,
    Step,
    has_drifted,
    payload_hash,
    plan_document,
    state_of_intents,
    state_of_proposal,
    step_number,
)
from paimon.domain.transaction.safe_proposal import ProposalStatus
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.infrastructure.keys.signatures import recover_typed

pytestmark = pytest.mark.unit

calls = st.lists(
    st.builds(Call, st.integers(0, 3).map(address), st.binary(max_size=6), st.integers(0, 2).map(RawAmount)), max_size=3
).map(tuple)
names = st.text(max_size=4)
statuses = st.lists(st.sampled_from(IntentStatus), min_size=1, max_size=4)
SCOPE = VoteScope(31337, address(9))


@given(names, calls, names, calls)
def test_a_key_stands_for_one_name_and_its_calls_in_order(
    name: str, some: tuple[Call, ...], other_name: str, others: tuple[Call, ...]
) -> None:
    same = (name, some) == (other_name, others)
    assert (payload_hash(name, some) == payload_hash(other_name, others)) == same


@given(st.uuids(), st.integers(0, 255), st.uuids(), st.integers(0, 255))
def test_every_call_of_every_plan_has_its_own_number(plan: UUID, place: int, other: UUID, elsewhere: int) -> None:
    number = step_number(plan, place)
    assert 0 <= number <= UINT256_MAX
    assert (number == step_number(other, elsewhere)) == ((plan, place) == (other, elsewhere))


@given(st.integers(0, 10**30), st.integers(0, 10**30))
def test_an_amount_has_drifted_beyond_a_hundredth(signed: int, now: int) -> None:
    assert has_drifted(RawAmount(signed), RawAmount(now)) == (100 * abs(now - signed) > signed)


def test_what_is_signed_names_every_call_and_any_change_of_it_is_another_document() -> None:
    step = Step(Call(address(1), b"\x01\x02"), "AssetController.purchaseAsset(…)")
    order = PlanOrder("k", "rebalance", (step, step), PlanWallet.HOT, RawAmount(5), "r")
    account = Account.create()

    def document(order: PlanOrder) -> dict[str, object]:
        return plan_document(order, nonce=Hash32(bytes(32)), expires_at=datetime(2026, 1, 1, tzinfo=UTC), scope=SCOPE)

    signature = bytes(account.sign_typed_data(full_message=document(order)).signature)
    assert recover_typed(document(order), signature) == bytes.fromhex(account.address[2:])
    other_step = Step(Call(address(1), b"\x01\x03"), step.words)
    for changed in (
        PlanOrder("l", "rebalance", order.steps, order.wallet, order.amount, "r"),
        PlanOrder("k", "another", order.steps, order.wallet, order.amount, "r"),
        PlanOrder("k", "rebalance", (step, other_step), order.wallet, order.amount, "r"),
        PlanOrder("k", "rebalance", (step,), order.wallet, order.amount, "r"),
        PlanOrder("k", "rebalance", order.steps, PlanWallet.WARM, order.amount, "r"),
        PlanOrder("k", "rebalance", order.steps, order.wallet, RawAmount(6), "r"),
        PlanOrder("k", "rebalance", order.steps, order.wallet, order.amount, "s"),
    ):
        assert recover_typed(document(changed), signature) != bytes.fromhex(account.address[2:])


@given(statuses)
def test_a_plan_is_in_hand_exactly_while_something_of_it_is_open(found: list[IntentStatus]) -> None:
    state = state_of_intents(found)
    assert (state is PlanState.IN_HAND) == any(each in OPEN_INTENTS for each in found)
    had_effect = {each in (IntentStatus.FINAL, IntentStatus.SATISFIED_ELSEWHERE) for each in found}
    if state is not PlanState.IN_HAND:
        assert (state is PlanState.DONE) == (had_effect == {True})
        assert (state is PlanState.PARTLY_DONE) == (had_effect == {True, False})


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ([IntentStatus.EXPIRED, IntentStatus.EXPIRED], PlanState.EXPIRED),
        ([IntentStatus.CANCELLED], PlanState.CANCELLED),
        ([IntentStatus.REVERTED, IntentStatus.EXPIRED], PlanState.FAILED),
        ([IntentStatus.FAILED], PlanState.FAILED),
    ],
)
def test_what_had_no_effect_says_how_it_ended(found: list[IntentStatus], state: PlanState) -> None:
    assert state_of_intents(found) is state


def test_every_state_of_a_proposal_is_one_of_its_plan() -> None:
    assert {state_of_proposal(each) for each in ProposalStatus} == set(PlanState) - {PlanState.PARTLY_DONE, PlanState.CANCELLED}
