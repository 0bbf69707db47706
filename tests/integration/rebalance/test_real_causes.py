"""Every trigger fires from its real cause on the local chain, a plan of each size goes its wallet's way, and a look that is
crashes anywhere is finished by the next one.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import pytest
from sqlalchemy import func, select, text, update
from tests.support.chain.fund import DAY, WAD, TestFund
from tests.support.database_roles import WITHOUT_TRIGGERS, context_of
from tests.support.scenarios.forked_workflows import WorkflowOrder, workflow_forker
from tests.support.scenarios.fund_activity import FundActivity, snapshot_now
from tests.support.scenarios.multisig import FundSafes
from tests.support.scenarios.planning import PlannerHarness, near, spend_from_outside
from tests.support.scenarios.plans import LIMITS, appoint_owners
from tests.support.scenarios.workflows import Scenario

from paimon.application.fund_risk.forecast import make_forecasts
from paimon.application.fund_risk.store import find_forecast, save_forecast
from paimon.application.rebalance_engine.context import RebalanceContext
from paimon.composition import AppContext
from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.rebalance.buffer import PlannerLook
from paimon.domain.rebalance.rebalance_record import RebalanceStatus
from paimon.domain.risk.liquidity_forecast import Horizon
from paimon.domain.risk.risk_policy import RiskPolicy
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.infrastructure.database.models.ops.plan import PlanRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.settings import Settings
from paimon.settings.rebalance import RebalanceSettings
from paimon_devkit.stack.accounts import ADMIN

pytestmark = pytest.mark.integration

AUTO: Final = 2
"""The purchase method of an asset that takes its adapter, or the swap helper without one."""


def window_opens(fund: TestFund) -> None:
    opens = fund.node.rpc.head().timestamp + 60
    token = fund.asset("RWAC").address
    fund.send(ADMIN, "AssetController", "setAssetPurchaseConfig", token, AUTO, 0, 5_000 * WAD, opens, 0)
    fund.warp(120)


def price_rises(fund: TestFund, times: int) -> None:
    fund.warp(DAY)
    token = fund.asset("RWAC").address
    FundActivity(fund).set_price("RWAC", int(fund.read("OracleAdapter", "getPrice", token)) * times)


CAUSES: Final[tuple[tuple[Callable[[TestFund], Any], set[str]], ...]] = (
    (lambda _fund: None, {"deposit"}),  # the investors' first ones
    (lambda fund: FundActivity(fund).deposit("ines", 150_000), {"daily_deviation"}),
    (window_opens, {"window_opened"}),
    (lambda fund: FundActivity(fund).deposit("ivan", 1_500_000), {"l1_above", "tier_deviation"}),
    (lambda fund: price_rises(fund, 3), {"price_move", "largest_asset"}),
    (lambda fund: price_rises(fund, 2), {"three_largest_assets"}),
    (lambda fund: spend_from_outside(fund, 2_600_000), {"l1_below"}),
)
"""What happens to the fund one after the other, and the conditions that are met from then on."""


async def test_every_condition_is_met_by_its_real_cause(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    await snapshot_now(app_context, fund)
    met: set[str] = set()
    for happens, names in CAUSES:
        await asyncio.to_thread(happens, fund)
        fund.wait_until_final()
        await snapshot_now(app_context, fund)
        assert await harness.look(harness.engine(app_context, is_automatic=False)) is PlannerLook.NOTHING_DUE
        now = {name for name, reason in (await harness.reasons()).items() if reason.endswith("waits: automatic plans are off")}
        assert names <= now, names
        assert not names & met, "no cause before it met the condition"
        met |= now
    assert await harness.history() == []


async def test_calibrated_forecast_of_a_shortage_starts_a_plan_and_its_requests_are_planned_for(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    snapshot = await snapshot_now(app_context, fund)
    policy, short = near(snapshot), 700 * WAD
    async with context_of(DatabaseRole.WORKER, app_context) as worker:
        await make_forecasts(worker.database, RiskPolicy(), worker.signing_rules.scope)
        for is_calibrated in (False, True):
            async with worker.database.write() as session:
                report = await find_forecast(session, Horizon.THIRTY_DAYS)
                assert report is not None
                fan = tuple(
                    replace(day, balance_lower=-short if day.day == 5 else 0, requests_mean=RawAmount(day.day * WAD))
                    for day in report.forecast.fan
                )
                later = replace(report, at=replace(report.at, number=report.at.number + 1))
                await save_forecast(
                    session, replace(later, forecast=replace(report.forecast, fan=fan, is_calibrated=is_calibrated))
                )
            await harness.look(harness.engine(app_context, is_automatic=False, **policy))
            reason = (await harness.reasons())["short_of_cash"]
            assert reason.startswith(f"{short} is above 0" if is_calibrated else "0 is not above 0")
    await harness.look(harness.engine(app_context, **policy))
    (record,) = await harness.history()
    assert record.conditions[0].name == "short_of_cash"
    expected = {outflow.day: outflow.expected for outflow in record.inputs.fund.outflows}
    assert (expected[7], expected[8], expected[20]) == (0, WAD, WAD)


async def test_plan_above_the_hot_limit_is_signed_by_the_owners_of_the_warm_safe(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    await appoint_owners(harness.plans.sending.database, fund)
    engine = with_hot_limit(harness.engine(app_context, **near(await snapshot_now(app_context, fund), layer2=8)))
    assert await harness.look(engine) is PlannerLook.PLANNED
    (record,) = await harness.history()
    plan = await harness.plans.row(record.key)
    assert plan.wallet is PlanWallet.WARM
    assert plan.proposal is not None
    await harness.plans.safe_harness.sign(Hash32(plan.proposal), 1, 2)
    await harness.plans.execute()
    fund.wait_until_final()
    await snapshot_now(app_context, fund)
    await harness.look(engine)
    ended = (await harness.history())[0]
    assert (ended.status, ended.outcome and ended.outcome.is_as_expected) == (RebalanceStatus.EXECUTED, True)


def with_hot_limit(engine: RebalanceContext) -> RebalanceContext:
    return replace(engine, plans=replace(engine.plans, limits=LIMITS))


CRASHES: Final = 10


async def test_look_that_crashes_at_any_wait_is_finished_once_by_the_next(
    harness: PlannerHarness,
    app_context: AppContext,
    fund: TestFund,
    settings: Settings,
    fund_safes: FundSafes,
    figures: Callable[[str], None],
) -> None:
    policy = near(await snapshot_now(app_context, fund))
    engine = harness.engine(app_context, **policy)
    key = bytes(fund.accounts.account("willa").key)
    scenario = Scenario(request_id=0, wallet=harness.plans.hot, planner_key=key)
    order = WorkflowOrder("rebalance", with_policy(settings, harness, fund_safes, policy), scenario)
    async with workflow_forker() as forker:
        points = len((await forker.run(order)).points)
        await require_one_plan(harness, plans=1)
        crashes = sorted(random.Random(7).sample(range(1, points + 1), CRASHES))
        for plans, crash_at in enumerate(crashes, start=2):
            await forget_plan(harness)
            await forker.run(replace(order, crash_at=crash_at))
            for _ in range(2):
                await harness.look(engine)
            await require_one_plan(harness, plans=plans)
    figures(f"{points} points at which a look with a plan waits, crashed at {crashes}")


def with_policy(settings: Settings, harness: PlannerHarness, safes: FundSafes, policy: dict[str, Any]) -> Settings:
    """The settings of a planner's process with this policy."""
    targets = {f"{tier.lower()}_target_bps": share for tier, share in policy["targets"].items()}
    rebalance = RebalanceSettings(**targets, landing_bps=0, smallest_plan=Decimal(0), automatic=True)
    named = {"warm": safes.warm, "cold": safes.cold, "multi_send": safes.safe_factory.multi_send, "hot": harness.plans.hot}
    return settings.model_copy(
        update={"rebalance": rebalance, "sending": harness.plans.sending.options.model_copy(update=named)}
    )


async def require_one_plan(harness: PlannerHarness, *, plans: int) -> None:
    """There is one plan under way, and each plan ever made has the one decision that it carries out."""
    records = await harness.history()
    assert [record.status for record in records].count(RebalanceStatus.SUBMITTED) == 1
    assert RebalanceStatus.PROPOSED not in {record.status for record in records}
    async with harness.plans.context.database.read() as session:
        made = set(await session.scalars(select(PlanRow.id)))
        open_calls = await session.scalar(select(func.count()).where(IntentRow.closed_at.is_(None)))
    assert {record.plan_id for record in records if record.plan_id is not None} == made
    assert (len(made), open_calls) == (plans, 1)


async def forget_plan(harness: PlannerHarness) -> None:
    """Let the plan under way expire and every trigger be new."""
    async with harness.plans.sending.database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        ended = {"status": "EXPIRED", "closed_at": text("now()"), "reason": "for a test"}
        await session.execute(update(IntentRow).where(IntentRow.closed_at.is_(None)).values(**ended))
        await session.execute(text("DELETE FROM ops.rebalance_triggers"))
