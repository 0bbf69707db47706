"""A signed plan is submitted exactly as it was signed, and once; calls that cannot be made are refused first."""

import asyncio
from dataclasses import replace

import pytest
from tests.support.scenarios.plans import PlanHarness

from paimon.application.common.idempotency import PayloadConflict
from paimon.application.common.signed_action import KeySignatureRequired, NonceUsed, SignedAction, SignerMismatch
from paimon.application.identity.permissions import NotPermitted
from paimon.application.transactions.plans.calls import InvalidPlan, RequestedCall
from paimon.application.transactions.plans.submit import PlanDrifted, submit_plan
from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.eip712 import InvalidExpiry
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.domain.user.roles import UserRole

pytestmark = pytest.mark.integration


def expired(signed: SignedAction) -> SignedAction:
    return replace(signed, terms=replace(signed.terms, expires_at=signed.terms.expires_at.replace(year=2020)))


async def test_plan_key_stands_for_one_plan(plan_harness: PlanHarness) -> None:
    first = await plan_harness.submit(plan_harness.buy(9_000))
    again = await asyncio.gather(*(plan_harness.submit(plan_harness.buy(9_000)) for _ in range(5)))
    assert {plan.id for plan in again} == {first.id}
    assert len(await plan_harness.intents()) == 1
    for calls, name in (([plan_harness.buy(8_000)], "plan-1"), ([plan_harness.buy(9_000)], "another")):
        with pytest.raises(PayloadConflict, match="one key stands for one plan"):
            await plan_harness.submit(*calls, plan=name)


async def test_operators_signature_over_the_preview_submits_the_plan(plan_harness: PlanHarness) -> None:
    plan_request = plan_harness.plan_request(plan_harness.buy(9_000))
    signature = await plan_harness.sign(plan_request)
    plan = await submit_plan(plan_request, signature, plan_harness.context)
    assert (plan.requested_by, plan.nonce) == (signature.user.address, signature.signed.terms.nonce)
    assert (await submit_plan(plan_request, signature, plan_harness.context)).id == plan.id, "sent again after a lost answer"


async def test_plan_without_signature_or_permission_is_refused_and_not_written(plan_harness: PlanHarness) -> None:
    plan_request = plan_harness.plan_request(plan_harness.buy(9_000))
    good = await plan_harness.sign(plan_request)
    for changed in (
        (plan_harness.plan_request(plan_harness.buy(9_001)), good),
        (plan_harness.plan_request(plan_harness.buy(9_000), plan="another"), good),
        (plan_request, replace(good, wallet=PlanWallet.WARM)),
        (plan_request, replace(good, amount=RawAmount(good.amount + 1))),
    ):
        with pytest.raises(SignerMismatch):
            await submit_plan(*changed, plan_harness.context)
    with pytest.raises(NotPermitted, match="operator"):
        await submit_plan(
            plan_request, await plan_harness.sign(plan_request, by="willa", role=UserRole.VIEWER), plan_harness.context
        )
    late = replace(good, signed=expired(good.signed))
    with pytest.raises(InvalidExpiry):
        await submit_plan(plan_request, late, plan_harness.context)
    cold = plan_harness.plan_request(RequestedCall("Vault", "pause", {}))
    with pytest.raises(NotPermitted, match="admin"):
        await submit_plan(cold, await plan_harness.sign(cold), plan_harness.context)
    assert await plan_harness.intents() == []
    by_admin = await plan_harness.sign(cold, by="vera", role=UserRole.ADMIN)
    assert (await submit_plan(cold, by_admin, plan_harness.context)).wallet is PlanWallet.COLD


async def test_plan_of_a_contract_wallet_is_refused_with_a_reason(plan_harness: PlanHarness) -> None:
    """A contract is at the person's address, so no key signs as it, and the signer process asks no contract."""
    plan_request = plan_harness.plan_request(plan_harness.buy(9_000))
    good = await plan_harness.sign(plan_request)
    by_contract = replace(good, user=replace(good.user, address=plan_harness.fund.addresses.vault))
    long_signature = replace(by_contract, signed=replace(good.signed, signature=good.signed.signature + "00" * 65))
    for signature in (by_contract, long_signature):
        with pytest.raises(KeySignatureRequired, match="contract wallet signs no vote, no plan and no policy"):
            await submit_plan(plan_request, signature, plan_harness.context)
    assert await plan_harness.intents() == []


async def test_plan_that_drifted_since_its_signature_is_refused(plan_harness: PlanHarness) -> None:
    plan_request = plan_harness.plan_request(plan_harness.buy(9_000))
    signature = await plan_harness.sign(plan_request)
    for key in ("a", "b"):
        await plan_harness.submit(plan_harness.buy(9_000), key=key)
    with pytest.raises(PlanDrifted, match="warm wallet would carry out the plan now, not the hot"):
        await submit_plan(plan_request, signature, plan_harness.context)
    asset = plan_harness.fund.asset("oTBILL")
    sale = RequestedCall("AssetController", "redeemAsset", {"token": asset.address, "tokenAmount": str(10**asset.decimals)})
    sold = plan_harness.plan_request(sale, key="sale")
    signature = await plan_harness.sign(sold)
    price = plan_harness.fund.read("OracleAdapter", "getPrice", asset.address)
    plan_harness.fund.send("ada", "OracleAdapter", "setPrice", asset.address, price * 102 // 100)
    plan_harness.fund.wait_until_final()
    with pytest.raises(PlanDrifted, match="were signed"):
        await submit_plan(sold, signature, plan_harness.context)


async def test_plan_signature_counts_once(plan_harness: PlanHarness) -> None:
    plan_request, other = (
        plan_harness.plan_request(plan_harness.buy(1_000)),
        plan_harness.plan_request(plan_harness.buy(1_000), key="plan-2"),
    )
    signature = await plan_harness.sign(plan_request)
    await submit_plan(plan_request, signature, plan_harness.context)
    with pytest.raises(NonceUsed):
        await submit_plan(other, await plan_harness.sign(other, nonce=signature.signed.terms.nonce), plan_harness.context)


BAD: list[tuple[RequestedCall, str, str]] = [
    (RequestedCall("Treasury", "pause", {}), "UNKNOWN_CONTRACT", "calls.0.contract"),
    (RequestedCall(checksum(bytes([7] * 20)), "pause", {}), "UNKNOWN_CONTRACT", "calls.0.contract"),
    (RequestedCall("0x12", "pause", {}), "INVALID_ADDRESS", "calls.0.contract"),
    (RequestedCall("Vault", "explode", {}), "UNKNOWN_FUNCTION", "calls.0.function"),
    (RequestedCall("Vault", "totalAssets", {}), "UNKNOWN_FUNCTION", "calls.0.function"),
    (RequestedCall("AssetController", "purchaseAsset", {"token": "0x" + "1" * 40}), "INVALID_ARGUMENTS", "calls.0.arguments"),
    (
        RequestedCall("AssetController", "purchaseAsset", {"token": "0x12", "usdtAmount": "1"}),
        "INVALID_ADDRESS",
        "calls.0.arguments.token",
    ),
    (
        RequestedCall("AssetController", "allocateToLayer", {"tier": "256", "amount": "1"}),
        "INVALID_ARGUMENTS",
        "calls.0.arguments.tier",
    ),
    (
        RequestedCall("AssetController", "allocateToLayer", {"tier": "1", "amount": "-1"}),
        "INVALID_ARGUMENTS",
        "calls.0.arguments.amount",
    ),
    (
        RequestedCall("AssetController", "allocateToLayer", {"tier": "1", "amount": "0"}),
        "ZERO_AMOUNT",
        "calls.0.arguments.amount",
    ),
    (
        RequestedCall("AssetController", "redeemAsset", {"token": "0x" + "1" * 40, "tokenAmount": "1"}),
        "VALUATION_FAILED",
        "calls",
    ),
    (RequestedCall("AssetController", "executeOTCPayment", {"orderId": "77"}), "VALUATION_FAILED", "calls"),
]


async def test_invalid_call_is_refused_with_its_code_and_field(plan_harness: PlanHarness) -> None:
    for call, code, field in BAD:
        with pytest.raises(InvalidPlan) as refused:
            await plan_harness.submit(call)
        assert (refused.value.code, refused.value.field) == (code, field)
        assert len(str(refused.value)) > 15
