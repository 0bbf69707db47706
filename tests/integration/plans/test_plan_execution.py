"""Plans from the preview to their effect on a real chain, by each wallet, with a real signer and real Safes."""

import pytest
from sqlalchemy import select
from tests.support.chain.fund import WAD
from tests.support.scenarios.plans import ALLOW_EVERYTHING, HUGE, PlanHarness

from paimon.application.transactions.plans.calls import RequestedCall
from paimon.application.transactions.plans.submit import PlanNotPossible
from paimon.domain.kernel.chain import Hash32, checksum
from paimon.domain.risk.risk_event import RiskKind
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.domain.transaction.safe_proposal import ProposalStatus
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.infrastructure.database.models.ops.risk import RiskEventRow

pytestmark = pytest.mark.integration


def tier2(plan_harness: PlanHarness) -> int:
    return int(plan_harness.fund.read("AssetController", "getLayerValue", 1))


async def test_hot_key_carries_out_a_small_plan(plan_harness: PlanHarness) -> None:
    before = tier2(plan_harness)
    shown = await plan_harness.preview(plan_harness.buy(4_000), plan_harness.buy(5_000))
    assert (shown.choice.wallet, shown.choice.rejected_wallets) == (PlanWallet.HOT, ())
    assert all(simulated.succeeds for simulated in shown.simulated)
    plan = await plan_harness.submit(plan_harness.buy(4_000), plan_harness.buy(5_000))
    assert (plan.wallet, plan.amount) == (PlanWallet.HOT, 9_000 * WAD)
    await plan_harness.sending.drive_until_idle(plan_harness.hot)
    intents = await plan_harness.intents()
    assert [intent.status for intent in intents] == [IntentStatus.FINAL] * 2
    assert [intent.idempotency_key for intent in intents] == ["plan:plan-1:0", "plan:plan-1:1"], "sent in order"
    assert tier2(plan_harness) > before
    assert all(intent.expires_at is not None for intent in intents)


async def test_warm_safe_carries_out_a_larger_plan_when_its_owners_sign(plan_harness: PlanHarness) -> None:
    before = tier2(plan_harness)
    plan = await plan_harness.submit(plan_harness.buy(40_000), plan_harness.buy(50_000))
    assert (plan.wallet, plan.rejected_wallets) == (
        PlanWallet.WARM,
        [
            "hot: the plan moves 90 000, its plans stay below 10 000; 90 000 of 25 000 allowed in 24 hours; "
            "rule manual_operation of policy 1 asks for 2 approvals, which the owners of a Safe give"
        ],
    )
    assert plan.proposal is not None
    proposal = Hash32(plan.proposal)
    details = await plan_harness.safe_harness.details(proposal)
    assert [call.function for call in details.summary.calls] == ["purchaseAsset", "purchaseAsset"]
    await plan_harness.safe_harness.sign(proposal, 1, 3)
    await plan_harness.execute()
    assert (await plan_harness.safe_harness.details(proposal)).summary.status is ProposalStatus.EXECUTED
    assert tier2(plan_harness) > before


async def test_cold_safe_carries_out_the_largest_plans_and_administrators_calls(plan_harness: PlanHarness) -> None:
    large = await plan_harness.submit(plan_harness.buy(100_000))
    assert large.wallet is PlanWallet.COLD
    slippage = await plan_harness.submit(
        RequestedCall("AssetController", "setDefaultSwapSlippage", {"slippageBps": "150"}), key="plan-2"
    )
    assert (slippage.wallet, slippage.rejected_wallets[0]) == (
        PlanWallet.COLD,
        "hot: may not call AssetController.setDefaultSwapSlippage; "
        "rule manual_operation of policy 1 asks for 2 approvals, which the owners of a Safe give",
    )
    for plan in (large, slippage):
        assert plan.proposal is not None
        await plan_harness.safe_harness.sign(Hash32(plan.proposal), 4, 5, 6)
        await plan_harness.execute()
        assert (await plan_harness.safe_harness.details(Hash32(plan.proposal))).summary.status is ProposalStatus.EXECUTED
    assert plan_harness.fund.read("AssetController", "defaultSwapSlippage") == 150


def raise_minimum(plan_harness: PlanHarness, usdt: int) -> None:
    """Raise the smallest purchase of the asset that these plans buy."""
    token = plan_harness.fund.asset("MMFA").address
    plan_harness.fund.send("ada", "AssetController", "setAssetPurchaseConfig", token, 1, 100, usdt * WAD, 0, 0)


async def test_call_that_would_do_nothing_is_not_sent(plan_harness: PlanHarness) -> None:
    raise_minimum(plan_harness, 500)
    plan_harness.fund.wait_until_final()
    with pytest.raises(PlanNotPossible, match="would succeed and do nothing"):
        await plan_harness.submit(plan_harness.buy(100))
    shown = await plan_harness.preview(plan_harness.buy(1_000), plan_harness.buy(100))
    assert [simulated.succeeds for simulated in shown.simulated] == [True, False]
    await plan_harness.submit(plan_harness.buy(1_000), plan_harness.buy(100))
    await plan_harness.sending.drive(plan_harness.hot)
    await plan_harness.sending.drive(plan_harness.hot)
    _first, second = await plan_harness.intents()
    assert (second.status, second.reason) == (IntentStatus.QUEUED, "it would succeed and do nothing")


async def test_success_without_effect_fails_and_counts_towards_the_limit(plan_harness: PlanHarness) -> None:
    """The minimum is raised between the signature and the block."""
    await plan_harness.submit(plan_harness.buy(9_000))
    with plan_harness.fund.stopped_mining():
        await plan_harness.sending.drive(plan_harness.hot)
        plan_harness.fund.node.rpc.call("anvil_dropAllTransactions")
        raise_minimum(plan_harness, 9_500)
        await plan_harness.sending.drive(plan_harness.hot)
        plan_harness.fund.mine(3)
    await plan_harness.sending.drive_until_idle(plan_harness.hot)
    (intent,) = await plan_harness.intents()
    assert (intent.status, "did nothing" in (intent.reason or "")) == (IntentStatus.FAILED, True)
    assert (
        await plan_harness.preview(plan_harness.buy(9_000), plan_harness.buy(8_000), key="b")
    ).choice.wallet is PlanWallet.WARM


async def test_filling_a_full_buffer_is_satisfied_externally(plan_harness: PlanHarness) -> None:
    pool = plan_harness.fund.read("AssetController", "getBufferPoolInfo")
    assert pool["total"] > pool["target"], "the test fund has more cash than its buffer needs"
    fill = RequestedCall("AssetController", "rebalanceBuffer", {})
    loose = plan_harness.with_limits(hot=HUGE)
    await loose.put_in_force(ALLOW_EVERYTHING)
    with pytest.raises(PlanNotPossible, match="at its target"):
        await loose.submit(fill)
    await loose.submit(plan_harness.buy(1_000), fill)
    await plan_harness.sending.drive(plan_harness.hot)
    await plan_harness.sending.drive(plan_harness.hot)
    _bought, filled = await plan_harness.intents()
    assert filled.status is IntentStatus.SATISFIED_EXTERNALLY


async def test_hot_wallet_short_of_gas_is_a_risk_event_and_sends_nothing(plan_harness: PlanHarness) -> None:
    plan_harness.fund.node.rpc.call("anvil_setBalance", checksum(plan_harness.hot), hex(10**10))
    await plan_harness.submit(plan_harness.buy(9_000))
    await plan_harness.sending.with_options(wallet_refresh_seconds=0).drive(plan_harness.hot)
    (intent,) = await plan_harness.intents()
    assert (intent.status, "top it up" in (intent.reason or "")) == (IntentStatus.QUEUED, True)
    async with plan_harness.context.database.read() as session:
        (event,) = await session.scalars(select(RiskEventRow))
    assert (event.kind, event.subject) == (RiskKind.LOW_GAS, f"gas of hot {checksum(plan_harness.hot)}")
