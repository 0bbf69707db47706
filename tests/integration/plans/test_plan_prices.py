"""Plans that trade an asset whose price is not trusted are refused at the preview and at the submission."""

from typing import Any

import pytest
from psycopg.types.json import Jsonb
from tests.support.database_roles import acting_as
from tests.support.factories.rows import insert_row
from tests.support.scenarios.plans import PlanHarness

from paimon.application.transactions.plans.calls import RequestedCall
from paimon.application.transactions.plans.price_check import UntrustedPrice
from paimon.application.transactions.plans.submit import submit_plan
from paimon.domain.kernel.chain import parse_address
from paimon.domain.price.trust import PriceTrust
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.infrastructure.database.models.ops.price import PriceJudgementRow
from paimon.infrastructure.database.rights.roles import DatabaseRole


def call(function: str, **arguments: Any) -> RequestedCall:
    return RequestedCall("AssetController", function, arguments)


pytestmark = pytest.mark.integration


async def judge(plan_harness: PlanHarness, symbol: str, tier: str, *reasons: str) -> None:
    """Record that a price is trusted, or why it is not."""
    async with acting_as(DatabaseRole.WORKER, plan_harness.context.database) as worker, worker.write() as session:
        token = parse_address(plan_harness.fund.asset(symbol).address)
        trust = PriceTrust.UNTRUSTED if reasons else PriceTrust.TRUSTED
        await insert_row(session, PriceJudgementRow, token=token, tier=tier, trust=trust, reasons=Jsonb(list(reasons)))


async def test_plan_that_trades_an_untrusted_price_is_refused_in_every_way(plan_harness: PlanHarness) -> None:
    allowed = plan_harness.buy(1_000)  # MMFA, of L2
    await judge(plan_harness, "MMFA", "L2")
    requested = plan_harness.plan_request(allowed)
    signature = await plan_harness.sign(requested)
    await judge(plan_harness, "MMFA", "L2", "a jump from 1 to 7")
    token = plan_harness.fund.asset("MMFA").address
    trading = [
        allowed,
        call("redeemAsset", token=token, tokenAmount="1"),
        call("allocateToLayer", tier="1", amount="1"),
        call("rebalanceBuffer"),
        call("executeWaterfallLiquidation", amountNeeded="1", maxTier="1"),
    ]
    for trade in trading:
        with pytest.raises(UntrustedPrice, match="a jump from 1 to 7"):
            await plan_harness.preview(trade)
    with pytest.raises(UntrustedPrice, match=token):
        await submit_plan(requested, signature, plan_harness.context)
    for other in (
        call("allocateToLayer", tier="2", amount="1"),
        call("executeWaterfallLiquidation", amountNeeded="1", maxTier="0"),
        call("purchaseAsset", token=plan_harness.fund.asset("RWAC").address, usdtAmount="1"),
        call("pause"),
    ):
        await plan_harness.preview(other)
    await judge(plan_harness, "MMFA", "L2")
    assert (await submit_plan(requested, signature, plan_harness.context)).wallet is PlanWallet.HOT
