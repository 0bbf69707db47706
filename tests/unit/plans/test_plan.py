"""The payload hash of a plan, its document, and its status by what carries it out."""

from datetime import UTC, datetime

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.strategies import address

from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.eip712 import SignatureTerms, SigningScope
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import OPEN_INTENTS, Call, IntentStatus
from paimon.domain.transaction.plan import (
    PlanExecution,
    PlanStatus,
    PlanStep,
    has_amount_drifted,
    plan_document,
    plan_payload_hash,
    status_of_intents,
    status_of_proposal,
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
SCOPE = SigningScope(31337, address(9))


@given(names, calls, names, calls)
def test_payload_hash_covers_the_name_and_the_calls_in_order(
    name: str, some: tuple[Call, ...], other_name: str, others: tuple[Call, ...]
) -> None:
    same = (name, some) == (other_name, others)
    assert (plan_payload_hash(name, some) == plan_payload_hash(other_name, others)) == same


@given(st.integers(0, 10**30), st.integers(0, 10**30))
def test_amount_has_drifted_beyond_one_percent(signed: int, now: int) -> None:
    assert has_amount_drifted(RawAmount(signed), RawAmount(now)) == (100 * abs(now - signed) > signed)


def test_any_change_of_the_plan_is_another_document() -> None:
    step = PlanStep(Call(address(1), b"\x01\x02"), "AssetController.purchaseAsset(…)")
    order = PlanExecution("k", "rebalance", (step, step), PlanWallet.HOT, RawAmount(5), "r")
    account = Account.create()

    def document(execution: PlanExecution) -> dict[str, object]:
        return plan_document(execution, SignatureTerms(Hash32(bytes(32)), datetime(2026, 1, 1, tzinfo=UTC)), SCOPE)

    signature = bytes(account.sign_typed_data(full_message=document(order)).signature)
    assert recover_typed(document(order), signature) == bytes.fromhex(account.address[2:])
    other_step = PlanStep(Call(address(1), b"\x01\x03"), step.description)
    for changed in (
        PlanExecution("l", "rebalance", order.steps, order.wallet, order.amount, "r"),
        PlanExecution("k", "another", order.steps, order.wallet, order.amount, "r"),
        PlanExecution("k", "rebalance", (step, other_step), order.wallet, order.amount, "r"),
        PlanExecution("k", "rebalance", (step,), order.wallet, order.amount, "r"),
        PlanExecution("k", "rebalance", order.steps, PlanWallet.WARM, order.amount, "r"),
        PlanExecution("k", "rebalance", order.steps, order.wallet, RawAmount(6), "r"),
        PlanExecution("k", "rebalance", order.steps, order.wallet, order.amount, "s"),
    ):
        assert recover_typed(document(changed), signature) != bytes.fromhex(account.address[2:])


@given(statuses)
def test_plan_is_in_progress_exactly_while_an_intent_is_open(found: list[IntentStatus]) -> None:
    plan_status = status_of_intents(found)
    assert (plan_status is PlanStatus.IN_PROGRESS) == any(status in OPEN_INTENTS for status in found)
    had_effect = {status in (IntentStatus.FINAL, IntentStatus.SATISFIED_EXTERNALLY) for status in found}
    if plan_status is not PlanStatus.IN_PROGRESS:
        assert (plan_status is PlanStatus.DONE) == (had_effect == {True})
        assert (plan_status is PlanStatus.PARTIALLY_DONE) == (had_effect == {True, False})


@pytest.mark.parametrize(
    ("found", "plan_status"),
    [
        ([IntentStatus.EXPIRED, IntentStatus.EXPIRED], PlanStatus.EXPIRED),
        ([IntentStatus.CANCELLED], PlanStatus.CANCELLED),
        ([IntentStatus.REVERTED, IntentStatus.EXPIRED], PlanStatus.FAILED),
        ([IntentStatus.FAILED], PlanStatus.FAILED),
    ],
)
def test_plan_without_effect_names_how_it_ended(found: list[IntentStatus], plan_status: PlanStatus) -> None:
    assert status_of_intents(found) is plan_status


def test_every_proposal_status_maps_to_a_plan_status() -> None:
    assert {status_of_proposal(status) for status in ProposalStatus} == set(PlanStatus) - {
        PlanStatus.PARTIALLY_DONE,
        PlanStatus.CANCELLED,
        PlanStatus.VOID,
    }


@pytest.mark.parametrize("refused", [PlanStatus.REJECTED, PlanStatus.CANCELLED, PlanStatus.EXPIRED, PlanStatus.VOID])
def test_ticket_ends_a_plan_whose_nonce_is_unused_and_not_about_to_be_used(refused: PlanStatus) -> None:
    ended = {status for status in ProposalStatus if status_of_proposal(status, refused=refused) is refused}
    by_chain = {status for status in ProposalStatus if status_of_proposal(status) is refused}
    assert ended - by_chain == {ProposalStatus.COLLECTING, ProposalStatus.READY, ProposalStatus.EXPIRED} - by_chain
