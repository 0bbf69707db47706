"""Plans of the three wallets from the dry run to their effect on a real chain, by a real signer and real Safes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, text, update
from tests.support.multisig import Multisig, safe_policy
from tests.support.plans import Plans, plans_of
from tests.support.sending import Office, stopped_mining
from tests.support.signing import client_of
from tests.support.testfund import WAD, TestFund

from paimon.application.accounts.users import NotPermitted
from paimon.application.approval_workflow.decide import NonceUsed, SignerMismatch
from paimon.application.plans.calls import AskedCall, BadPlan
from paimon.application.plans.submit import NoWalletMay, PlanDrifted, PlanNotPossible, submit_plan
from paimon.application.transactions.intents import PayloadConflict
from paimon.domain.chain import Hash32, checksum, parse_address
from paimon.domain.proposal import ProposalStatus
from paimon.domain.risk import RiskKind
from paimon.domain.transaction import IntentKind, IntentStatus
from paimon.domain.units import RawAmount
from paimon.domain.user import UserRole
from paimon.domain.vote import VoteNotAcceptable
from paimon.domain.wallets import PlanWallet
from paimon.gateway.signer.process import running_signer
from paimon.infrastructure.database.models.owned import TransactionIntent
from paimon.infrastructure.database.models.risk import RiskEventRow
from paimon.settings import SendingSettings, WalletLimitSettings

pytestmark = pytest.mark.integration

HUGE = WalletLimitSettings(plan=10**9, day=10**9)


@pytest.fixture
async def plans(safe_office: Multisig, fund: TestFund, tmp_path: Path) -> AsyncIterator[Plans]:
    path = safe_policy(fund, safe_office.safes, tmp_path)
    addresses = {name: parse_address(fund.people.address(name)) for name in ("keeper", "approver")}
    desk = safe_office.desk
    async with running_signer(path, new_ledger=True):
        office = Office(fund, desk.database, desk.contracts, client_of(path), SendingSettings(**addresses))
        yield plans_of(office, safe_office)


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


async def test_a_plan_in_pieces_needs_the_wallet_of_its_sum(plans: Plans) -> None:
    first = await plans.hand_in(plans.buy(6_000), key="a", plan="rebalance")
    second = await plans.hand_in(plans.buy(4_000), key="b", plan="rebalance")
    other = await plans.hand_in(plans.buy(4_000), key="c", plan="another")
    assert [each.wallet for each in (first, second, other)] == [PlanWallet.HOT, PlanWallet.WARM, PlanWallet.HOT]
    assert second.passed_over == ["hot: the plan moves 10 000, its plans stay below 10 000"]
    third = await plans.hand_in(plans.buy(90_000), key="d", plan="rebalance")
    assert third.wallet is PlanWallet.COLD, "what was proposed to the warm wallet counts too"


async def test_what_came_to_nothing_counts_no_longer_and_what_is_final_does_for_a_day(plans: Plans) -> None:
    await plans.hand_in(plans.buy(9_000), key="a")
    await plans.hand_in(plans.buy(9_000), key="b")
    assert (await plans.preview(plans.buy(9_000), key="c")).choice.wallet is PlanWallet.WARM
    async with plans.desk.database.write() as session:
        first = TransactionIntent.idempotency_key == "plan:a:0"
        await session.execute(update(TransactionIntent).where(first).values(expires_at=text("now()")))
    await plans.sending.finish(plans.hot)
    assert [each.status for each in await plans.intents()] == [IntentStatus.EXPIRED, IntentStatus.FINAL]
    assert (await plans.preview(plans.buy(9_000), key="c")).choice.wallet is PlanWallet.HOT
    assert (await plans.preview(plans.buy(9_000), plans.buy(9_000), key="c")).choice.wallet is PlanWallet.WARM
    await plans.hand_in(plans.buy(9_000), key="c")
    assert (await plans.preview(plans.buy(9_000), key="d")).choice.wallet is PlanWallet.WARM
    async with plans.desk.database.write() as session:
        second = TransactionIntent.idempotency_key == "plan:b:0"
        long_ago = text("now() - interval '24 hours'")
        await session.execute(update(TransactionIntent).where(second).values(closed_at=long_ago))
    assert (await plans.preview(plans.buy(9_000), key="d")).choice.wallet is PlanWallet.HOT


async def test_the_warm_wallets_day_counts_what_is_proposed_until_it_can_no_longer_happen(plans: Plans) -> None:
    plan = await plans.hand_in(plans.buy(90_000), key="a")
    assert plan.proposal is not None
    assert (await plans.preview(plans.buy(60_001), key="b")).choice.wallet is PlanWallet.COLD
    assert (await plans.preview(plans.buy(60_000), key="b")).choice.wallet is PlanWallet.WARM
    await plans.owners.sign(Hash32(plan.proposal), 1, 2)
    await plans.owners.expire(Hash32(plan.proposal))
    assert (await plans.preview(plans.buy(90_000), key="b")).choice.wallet is PlanWallet.WARM, "its time is over"
    assert await plans.owners.execute_outside(Hash32(plan.proposal))
    assert (await plans.preview(plans.buy(90_000), key="b")).choice.wallet is PlanWallet.COLD, "executed after all"


async def test_fifty_at_once_never_exceed_the_day(plans: Plans) -> None:
    """Of fifty plans of 1 000 each the hot wallet's day of 25 000 has room for 25; the others go on to the warm one's."""
    roomy = plans.with_limits(warm=HUGE)
    found = await asyncio.gather(
        *(roomy.hand_in(plans.buy(1_000), key=f"plan-{number}") for number in range(50)), return_exceptions=True
    )
    hot = [each for each in found if not isinstance(each, BaseException) and each.wallet is PlanWallet.HOT]
    unexpected = [each for each in found if isinstance(each, BaseException) and not isinstance(each, PlanDrifted)]
    assert unexpected == []
    assert sum(each.amount for each in hot) == 25_000 * WAD
    intents = [each for each in await plans.intents() if each.kind is IntentKind.PLAN_STEP]
    assert len(intents) == 25


async def test_the_same_key_is_the_same_plan_and_never_another(plans: Plans) -> None:
    first = await plans.hand_in(plans.buy(9_000))
    again = await asyncio.gather(*(plans.hand_in(plans.buy(9_000)) for _ in range(5)))
    assert {each.id for each in again} == {first.id}
    assert len(await plans.intents()) == 1
    for calls, name in (([plans.buy(8_000)], "plan-1"), ([plans.buy(9_000)], "another")):
        with pytest.raises(PayloadConflict, match="one key stands for one plan"):
            await plans.hand_in(*calls, plan=name)


async def test_a_plan_the_application_wrongly_lets_through_is_refused_by_the_signer(plans: Plans) -> None:
    loose = plans.with_limits(hot=HUGE, warm=HUGE)
    for key, usdt, code in (("too-large", 10_000, "LIMIT_EXCEEDED"), ("fits", 9_999, None)):
        assert (await loose.hand_in(plans.buy(usdt), key=key)).wallet is PlanWallet.HOT
        await plans.sending.drive(plans.hot)
        newest = (await plans.intents())[-1]
        assert (newest.status is IntentStatus.SENDING) == (code is None)
        assert code is None or code in (newest.reason or "")
    in_pieces = await loose.hand_in(plans.buy(1_000), key="piece", plan="fits")
    assert in_pieces.wallet is PlanWallet.HOT
    await plans.sending.drive(plans.hot)
    assert "the plan would move" in ((await plans.intents())[-1].reason or ""), "the signer is told the plan's name"


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


async def test_without_a_wallet_that_may_the_reasons_are_told(plans: Plans) -> None:
    bare = replace(plans, desk=replace(plans.desk, safes=replace(plans.desk.safes, safes={})))
    with pytest.raises(NoWalletMay, match="warm: there is none here; cold: there is none here"):
        await bare.hand_in(plans.buy(10_000))
    shown = await bare.preview(plans.buy(10_000))
    assert (shown.choice.wallet, shown.document) == (None, None)


async def test_an_operators_signature_over_the_dry_run_hands_it_in(plans: Plans) -> None:
    wanted = plans.wanted(plans.buy(9_000))
    consent = await plans.sign(wanted)
    plan = await submit_plan(wanted, consent, plans.desk)
    assert (plan.asked_by, plan.nonce) == (consent.user.address, consent.nonce)
    assert (await submit_plan(wanted, consent, plans.desk)).id == plan.id, "sent again after a lost answer"


async def test_what_was_not_signed_or_may_not_be_is_refused_and_nothing_is_written(plans: Plans) -> None:
    wanted = plans.wanted(plans.buy(9_000))
    good = await plans.sign(wanted)
    for changed in (
        (plans.wanted(plans.buy(9_001)), good),
        (plans.wanted(plans.buy(9_000), plan="another"), good),
        (wanted, replace(good, wallet=PlanWallet.WARM)),
        (wanted, replace(good, amount=RawAmount(good.amount + 1))),
    ):
        with pytest.raises(SignerMismatch):
            await submit_plan(*changed, plans.desk)
    with pytest.raises(NotPermitted, match="operator"):
        await submit_plan(wanted, await plans.sign(wanted, by="willa", role=UserRole.VIEWER), plans.desk)
    late = replace(good, expires_at=good.expires_at.replace(year=2020))
    with pytest.raises(VoteNotAcceptable):
        await submit_plan(wanted, late, plans.desk)
    cold = plans.wanted(AskedCall("Vault", "pause", {}))
    with pytest.raises(NotPermitted, match="admin"):
        await submit_plan(cold, await plans.sign(cold), plans.desk)
    assert await plans.intents() == []
    by_admin = await plans.sign(cold, by="vera", role=UserRole.ADMIN)
    assert (await submit_plan(cold, by_admin, plans.desk)).wallet is PlanWallet.COLD


async def test_the_hot_wallet_short_of_gas_is_an_event_and_nothing_is_sent(plans: Plans) -> None:
    plans.fund.node.rpc.call("anvil_setBalance", checksum(plans.hot), hex(10**10))
    await plans.hand_in(plans.buy(9_000))
    await plans.sending.with_options(look_seconds=0).drive(plans.hot)
    (intent,) = await plans.intents()
    assert (intent.status, "top it up" in (intent.reason or "")) == (IntentStatus.QUEUED, True)
    async with plans.desk.database.read() as session:
        (event,) = await session.scalars(select(RiskEventRow))
    assert (event.kind, event.subject) == (RiskKind.LOW_GAS, f"gas of hot {checksum(plans.hot)}")


async def test_what_has_changed_since_it_was_signed_must_be_signed_anew(plans: Plans) -> None:
    wanted = plans.wanted(plans.buy(9_000))
    consent = await plans.sign(wanted)
    for key in ("a", "b"):
        await plans.hand_in(plans.buy(9_000), key=key)
    with pytest.raises(PlanDrifted, match="warm wallet would carry this out, not hot"):
        await submit_plan(wanted, consent, plans.desk)
    asset = plans.fund.asset("oTBILL")
    sale = AskedCall("AssetController", "redeemAsset", {"token": asset.address, "tokenAmount": str(10**asset.decimals)})
    sold = plans.wanted(sale, key="sale")
    consent = await plans.sign(sold)
    price = plans.fund.read("OracleAdapter", "getPrice", asset.address)
    plans.fund.send("ada", "OracleAdapter", "setPrice", asset.address, price * 102 // 100)
    plans.fund.wait_final()
    with pytest.raises(PlanDrifted, match="were signed"):
        await submit_plan(sold, consent, plans.desk)


async def test_a_signature_counts_once(plans: Plans) -> None:
    wanted, other = plans.wanted(plans.buy(1_000)), plans.wanted(plans.buy(1_000), key="plan-2")
    consent = await plans.sign(wanted)
    await submit_plan(wanted, consent, plans.desk)
    with pytest.raises(NonceUsed):
        await submit_plan(other, await plans.sign(other, nonce=consent.nonce), plans.desk)


BAD: list[tuple[AskedCall, str, str]] = [
    (AskedCall("Treasury", "pause", {}), "NOT_OUR_CONTRACT", "calls.0.contract"),
    (AskedCall(checksum(bytes([7] * 20)), "pause", {}), "NOT_OUR_CONTRACT", "calls.0.contract"),
    (AskedCall("0x12", "pause", {}), "WRONG_ADDRESS", "calls.0.contract"),
    (AskedCall("Vault", "explode", {}), "UNKNOWN_FUNCTION", "calls.0.function"),
    (AskedCall("Vault", "totalAssets", {}), "UNKNOWN_FUNCTION", "calls.0.function"),
    (AskedCall("AssetController", "purchaseAsset", {"token": "0x" + "1" * 40}), "WRONG_ARGUMENTS", "calls.0.arguments"),
    (
        AskedCall("AssetController", "purchaseAsset", {"token": "0x12", "usdtAmount": "1"}),
        "WRONG_ADDRESS",
        "calls.0.arguments.token",
    ),
    (
        AskedCall("AssetController", "allocateToLayer", {"tier": "256", "amount": "1"}),
        "WRONG_ARGUMENTS",
        "calls.0.arguments.tier",
    ),
    (
        AskedCall("AssetController", "allocateToLayer", {"tier": "1", "amount": "-1"}),
        "WRONG_ARGUMENTS",
        "calls.0.arguments.amount",
    ),
    (
        AskedCall("AssetController", "allocateToLayer", {"tier": "1", "amount": "0"}),
        "ZERO_AMOUNT",
        "calls.0.arguments.amount",
    ),
    (
        AskedCall("AssetController", "redeemAsset", {"token": "0x" + "1" * 40, "tokenAmount": "1"}),
        "CANNOT_BE_VALUED",
        "calls",
    ),
    (AskedCall("AssetController", "executeOTCPayment", {"orderId": "77"}), "CANNOT_BE_VALUED", "calls"),
]


async def test_a_call_that_cannot_be_made_is_refused_with_its_code_and_place(plans: Plans) -> None:
    for call, code, field in BAD:
        with pytest.raises(BadPlan) as refused:
            await plans.hand_in(call)
        assert (refused.value.code, refused.value.field) == (code, field)
        assert len(str(refused.value)) > 15
