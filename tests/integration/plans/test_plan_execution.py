"""Plans from the dry run to their effect on a real chain, by the wallet that may, a real signer and real Safes."""

import pytest
from sqlalchemy import select
from tests.support.chain.fund import WAD
from tests.support.scenarios.plans import HUGE, Plans
from tests.support.scenarios.sending import stopped_mining

from paimon.application.transactions.plans.calls import AskedCall
from paimon.application.transactions.plans.submit import PlanNotPossible
from paimon.domain.kernel.chain import Hash32, checksum
from paimon.domain.risk.risk_event import RiskKind
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.domain.transaction.safe_proposal import ProposalStatus
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.infrastructure.database.models.ops.risk import RiskEventRow

pytestmark = pytest.mark.integration


def tier2(plans: Plans) -> int:
    return int(plans.fund.read("AssetController", "getLayerValue", 1))


async def test_a_small_plan_is_the_hot_keys_and_takes_effect(plans: Plans) -> None:
    before = tier2(plans)
    shown = await plans.preview(plans.buy(4_000), plans.buy(5_000))
    assert (shown.choice.wallet, shown.choice.passed_over) == (PlanWallet.HOT, ())
    assert all(each.passes for each in shown.simulated)
    plan = await plans.hand_in(plans.buy(4_000), plans.buy(5_000))
    assert (plan.wallet, plan.amount) == (PlanWallet.HOT, 9_000 * WAD)
    await plans.sending.finish(plans.hot)
    intents = await plans.intents()
    assert [each.status for each in intents] == [IntentStatus.FINAL] * 2
    assert [each.idempotency_key for each in intents] == ["plan:plan-1:0", "plan:plan-1:1"], "sent in order"
    assert tier2(plans) > before
    assert all(each.expires_at is not None for each in intents)


async def test_a_larger_plan_is_proposed_to_the_warm_safe_and_executed_when_its_owners_sign(plans: Plans) -> None:
    before = tier2(plans)
    plan = await plans.hand_in(plans.buy(40_000), plans.buy(50_000))
    assert (plan.wallet, plan.passed_over) == (
        PlanWallet.WARM,
        ["hot: the plan moves 90 000, its plans stay below 10 000; 90 000 of 25 000 allowed a day"],
    )
    assert plan.proposal is not None
    proposal = Hash32(plan.proposal)
    file = await plans.owners.file(proposal)
    assert [each.function for each in file.state.calls] == ["purchaseAsset", "purchaseAsset"]
    await plans.owners.sign(proposal, 1, 3)
    await plans.execute()
    assert (await plans.owners.file(proposal)).state.status is ProposalStatus.EXECUTED
    assert tier2(plans) > before


async def test_larger_still_or_an_administrators_call_is_the_cold_safes(plans: Plans) -> None:
    large = await plans.hand_in(plans.buy(100_000))
    assert large.wallet is PlanWallet.COLD
    pause = await plans.hand_in(AskedCall("AssetController", "setDefaultSwapSlippage", {"slippageBps": "150"}), key="plan-2")
    assert (pause.wallet, pause.passed_over[0]) == (PlanWallet.COLD, "hot: may not call AssetController.setDefaultSwapSlippage")
    for plan in (large, pause):
        assert plan.proposal is not None
        await plans.owners.sign(Hash32(plan.proposal), 4, 5, 6)
        await plans.execute()
        assert (await plans.owners.file(Hash32(plan.proposal))).state.status is ProposalStatus.EXECUTED
    assert plans.fund.read("AssetController", "defaultSwapSlippage") == 150


def raise_minimum(plans: Plans, usdt: int) -> None:
    """Of one purchase of the asset that these plans buy."""
    token = plans.fund.asset("MMFA").address
    plans.fund.send("ada", "AssetController", "setAssetPurchaseConfig", token, 1, 100, usdt * WAD, 0, 0)


async def test_what_would_do_nothing_is_not_sent(plans: Plans) -> None:
    raise_minimum(plans, 500)
    plans.fund.wait_final()
    with pytest.raises(PlanNotPossible, match="would succeed and do nothing"):
        await plans.hand_in(plans.buy(100))
    shown = await plans.preview(plans.buy(1_000), plans.buy(100))
    assert [each.passes for each in shown.simulated] == [True, False]
    await plans.hand_in(plans.buy(1_000), plans.buy(100))
    await plans.sending.drive(plans.hot)
    await plans.sending.drive(plans.hot)
    _first, second = await plans.intents()
    assert (second.status, second.reason) == (IntentStatus.QUEUED, "it would succeed and do nothing")


async def test_a_success_without_effect_fails_and_counts(plans: Plans) -> None:
    """The minimum is raised between the signature and the block."""
    await plans.hand_in(plans.buy(9_000))
    with stopped_mining(plans.fund):
        await plans.sending.drive(plans.hot)
        plans.fund.node.rpc.call("anvil_dropAllTransactions")
        raise_minimum(plans, 9_500)
        await plans.sending.drive(plans.hot)
        plans.fund.mine(3)
    await plans.sending.finish(plans.hot)
    (intent,) = await plans.intents()
    assert (intent.status, "did nothing" in (intent.reason or "")) == (IntentStatus.FAILED, True)
    assert (await plans.preview(plans.buy(9_000), plans.buy(8_000), key="b")).choice.wallet is PlanWallet.WARM


async def test_filling_a_full_buffer_is_done_already(plans: Plans) -> None:
    pool = plans.fund.read("AssetController", "getBufferPoolInfo")
    assert pool["total"] > pool["target"], "the test fund has more cash than its buffer wants"
    fill = AskedCall("AssetController", "rebalanceBuffer", {})
    loose = plans.with_limits(hot=HUGE)
    with pytest.raises(PlanNotPossible, match="at its target"):
        await loose.hand_in(fill)
    await loose.hand_in(plans.buy(1_000), fill)
    await plans.sending.drive(plans.hot)
    await plans.sending.drive(plans.hot)
    _bought, filled = await plans.intents()
    assert filled.status is IntentStatus.SATISFIED_ELSEWHERE


async def test_the_hot_wallet_short_of_gas_is_an_event_and_nothing_is_sent(plans: Plans) -> None:
    plans.fund.node.rpc.call("anvil_setBalance", checksum(plans.hot), hex(10**10))
    await plans.hand_in(plans.buy(9_000))
    await plans.sending.with_options(look_seconds=0).drive(plans.hot)
    (intent,) = await plans.intents()
    assert (intent.status, "top it up" in (intent.reason or "")) == (IntentStatus.QUEUED, True)
    async with plans.desk.database.read() as session:
        (event,) = await session.scalars(select(RiskEventRow))
    assert (event.kind, event.subject) == (RiskKind.LOW_GAS, f"gas of hot {checksum(plans.hot)}")
