"""What a person signs is what is handed in, once; and calls that cannot be made are refused before."""

import asyncio
from dataclasses import replace

import pytest
from tests.support.scenarios.plans import Plans

from paimon.application.common.idempotency import PayloadConflict
from paimon.application.common.signed_action import NonceUsed, SignerMismatch
from paimon.application.identity.users import NotPermitted
from paimon.application.transactions.plans.calls import AskedCall, BadPlan
from paimon.application.transactions.plans.submit import PlanDrifted, submit_plan
from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.eip712 import VoteNotAcceptable
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.domain.user.roles import UserRole

pytestmark = pytest.mark.integration


async def test_the_same_key_is_the_same_plan_and_never_another(plans: Plans) -> None:
    first = await plans.hand_in(plans.buy(9_000))
    again = await asyncio.gather(*(plans.hand_in(plans.buy(9_000)) for _ in range(5)))
    assert {each.id for each in again} == {first.id}
    assert len(await plans.intents()) == 1
    for calls, name in (([plans.buy(8_000)], "plan-1"), ([plans.buy(9_000)], "another")):
        with pytest.raises(PayloadConflict, match="one key stands for one plan"):
            await plans.hand_in(*calls, plan=name)


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
