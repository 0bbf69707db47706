"""A plan with a call that the fund's contracts do not have is refused with the reason, before anything is valued or signed."""

from dataclasses import replace

import pytest
from tests.support.chain.altered_contracts import remove_functions
from tests.support.chain.fund import TestFund
from tests.support.chain.recording import record_all

from paimon.application.deployment.examine import examine_contracts
from paimon.application.transactions.plans.calls import InvalidPlan, PlanRequest, RequestedCall
from paimon.application.transactions.plans.preview import PlanPreview, preview_plan
from paimon.composition import AppContext
from paimon.errors import DetailCode

pytestmark = pytest.mark.integration

ALLOCATE = RequestedCall("AssetController", "allocateToLayer", {"tier": "1", "amount": "1000"})
BUFFER = RequestedCall("AssetController", "rebalanceBuffer", {})
PURCHASE = RequestedCall("AssetController", "purchaseAsset", {"usdtAmount": "1000"})
EMERGENCY = RequestedCall("Vault", "setEmergencyMode", {"enabled": True})
REMOVED = {
    "allocateToLayer(uint8,uint256)": (ALLOCATE, "plans that allocate cash to a whole tier"),
    "rebalanceBuffer()": (BUFFER, "the buffer pool and plans that rebalance it"),
    "purchaseAsset(address,uint256)": (PURCHASE, "plans that buy an asset with USDT"),
    "setEmergencyMode(bool)": (EMERGENCY, "the emergency mode and its switch"),
}


async def preview(app_context: AppContext, fund: TestFund, *calls: RequestedCall) -> PlanPreview:
    token = {"token": fund.asset("MMFA").address}
    named = [replace(call, arguments={**call.arguments, **token}) if call is PURCHASE else call for call in calls]
    return await preview_plan(PlanRequest("plan-1", "plan-1", tuple(named), "for a test"), app_context.plan_context)


async def examine(app_context: AppContext, fund: TestFund) -> None:
    await record_all(app_context, fund)
    assert await examine_contracts(app_context.database, app_context.contracts) is not None


@pytest.mark.parametrize("signature", REMOVED)
async def test_call_that_the_deployment_lacks_is_refused_with_the_reason(
    app_context: AppContext, fund: TestFund, signature: str
) -> None:
    call, switched_off = REMOVED[signature]
    other = ALLOCATE if call is not ALLOCATE else PURCHASE
    address = {"Vault": fund.addresses.vault, "AssetController": fund.addresses.asset_controller}[call.contract]
    await examine(app_context, fund)
    await preview(app_context, fund, other, call)
    remove_functions(fund, address, [signature])
    await examine(app_context, fund)
    with pytest.raises(InvalidPlan) as refused:
        await preview(app_context, fund, other, call)
    assert (refused.value.code, refused.value.field) == (DetailCode.NOT_IN_DEPLOYMENT, "calls.1.function")
    assert f"this {call.contract} has no {signature}" in str(refused.value)
    assert switched_off in str(refused.value)
    await preview(app_context, fund, other)
