"""The rebalance engine on the local chain: from a trigger's cause to a signed plan, its execution, and its result."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from tests.support.chain.fund import TestFund
from tests.support.scenarios.fund_activity import snapshot_now
from tests.support.scenarios.planning import PlannerHarness, near, spend_from_outside
from tests.support.scenarios.plans import appoint_owners

from paimon.application.rebalance_engine.context import RebalanceContext
from paimon.application.rebalance_engine.planner_signature import Planner
from paimon.application.rebalance_engine.status import read_state
from paimon.composition import AppContext
from paimon.domain.approval.ticket import TicketStatus
from paimon.domain.rebalance.buffer import PlannerLook
from paimon.domain.rebalance.decision import decide, result_text
from paimon.domain.rebalance.rebalance_record import RebalanceRecord, RebalanceStatus
from paimon.domain.rebalance.triggers import ConditionName, Hold, HoldCode, Trigger, TriggerAnswer
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon_devkit.stack.accounts import ADMIN

pytestmark = pytest.mark.integration

SPENT: Final = 1_400_000
"""USDT that leave L1 of the test fund below 8 % of it."""


async def the_record(harness: PlannerHarness) -> RebalanceRecord:
    (record,) = await harness.history()
    return record


async def test_small_plan_of_the_schedule_is_made_by_the_hot_key_and_compared_with_the_chain(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    engine = harness.engine(app_context, **near(await snapshot_now(app_context, fund)))
    assert await harness.look(engine) is PlannerLook.PLANNED
    record = await the_record(harness)
    assert (record.status, record.requested_by) == (RebalanceStatus.SUBMITTED, None)
    assert "daily_deviation" in record.reason
    assert result_text(decide(record.inputs)) == record.result_text

    assert await harness.look(engine) is PlannerLook.NOTHING_DUE

    await harness.execute_and_snapshot(app_context)
    assert {intent.status for intent in await harness.plans.intents()} == {IntentStatus.FINAL}
    assert await harness.look(engine) is PlannerLook.NOTHING_DUE
    ended = await the_record(harness)
    assert ended.status is RebalanceStatus.EXECUTED
    assert ended.outcome is not None
    assert ended.outcome.is_as_expected
    assert (ended.outcome.trades, ended.outcome.gas_wei > 0) == (len(record.calls), True)
    assert (ended.inputs_text, ended.result_text) == (record.inputs_text, record.result_text)


async def test_shortage_of_l1_becomes_a_plan_that_the_owners_of_the_cold_safe_sign(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    await appoint_owners(harness.plans.sending.database, fund)
    spend_from_outside(fund, SPENT)
    await snapshot_now(app_context, fund)
    engine = harness.engine(app_context)
    assert await harness.look(engine) is PlannerLook.PLANNED
    record = await the_record(harness)
    assert record.trigger is Trigger.LIQUIDITY
    assert await harness.look(engine) is PlannerLook.NOTHING_DUE
    assert (await harness.reasons())["l1_below"].endswith(f"waits: the plan {record.key} is under way")
    state = await read_state(engine)
    verdicts = {verdict.condition.name: verdict for verdict in state.measured.triggers}
    fired_at = state.judged["l1_below"].fired_at
    assert fired_at is not None
    assert state.hold == Hold(HoldCode.PLAN_UNDER_WAY, record.key)
    assert state.answer_of(verdicts[ConditionName.L1_BELOW]) is TriggerAnswer.QUIET
    assert state.quiet_until(verdicts[ConditionName.L1_BELOW]) == fired_at + timedelta(hours=1)
    assert state.answer_of(verdicts[ConditionName.DEPOSIT]) is TriggerAnswer.NOT_MET, "it counts since the trigger fired"
    plan = await harness.plans.row(record.key)
    assert plan.wallet is PlanWallet.COLD
    ticket = await harness.plans.owner_signs(plan, 4, 5, 6)
    assert ticket.status is TicketStatus.APPROVED
    await harness.plans.execute()
    fund.wait_until_final()
    await snapshot_now(app_context, fund)
    await harness.look(engine)
    ended = (await harness.history())[0]
    assert (ended.status, ended.outcome and ended.outcome.is_as_expected) == (RebalanceStatus.EXECUTED, True)


async def test_pause_and_the_setting_hold_every_trigger_back_and_say_so(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    spend_from_outside(fund, SPENT)
    await snapshot_now(app_context, fund)
    assert await harness.look(harness.engine(app_context, is_automatic=False)) is PlannerLook.NOTHING_DUE
    assert (await harness.reasons())["l1_below"].endswith("waits: automatic plans are off")
    fund.send(ADMIN, "AssetController", "pause")
    fund.wait_until_final()
    await snapshot_now(app_context, fund)
    engine = harness.engine(app_context)
    assert await harness.look(engine) is PlannerLook.NOTHING_DUE
    assert (await harness.reasons())["l1_below"].endswith("waits: the AssetController is paused")
    assert await harness.history() == []
    fund.send(ADMIN, "AssetController", "unpause")
    fund.wait_until_final()
    await snapshot_now(app_context, fund)
    assert await harness.look(engine) is PlannerLook.PLANNED


async def test_interrupted_decision_is_submitted_once_by_the_next_look(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    engine = harness.engine(app_context, **near(await snapshot_now(app_context, fund)))

    async def interrupted(*_arguments: Any) -> Any:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await harness.look_as(Planner(harness.planner.user, interrupted), engine)
    decided = await the_record(harness)
    assert decided.status is RebalanceStatus.PROPOSED
    assert await harness.look(engine) is PlannerLook.PLANNED
    assert await harness.look(engine) is PlannerLook.NOTHING_DUE
    found = await the_record(harness)
    assert (found.id, found.status) == (decided.id, RebalanceStatus.SUBMITTED)
    assert found.plan_id == (await harness.plans.row(decided.key)).id


async def test_decision_that_no_wallet_may_carry_out_ends_with_the_reason(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    engine = harness.engine(app_context, **near(await snapshot_now(app_context, fund)))
    assert await harness.look(without_wallets(engine)) is PlannerLook.NO_PLAN
    record = await the_record(harness)
    assert record.status is RebalanceStatus.REFUSED
    assert "no wallet may carry out the plan" in (record.close_reason or "")
    assert await harness.look(engine) is PlannerLook.NOTHING_DUE, "the trigger is quiet after it fired"


def without_wallets(engine: RebalanceContext) -> RebalanceContext:
    plans = engine.plans
    return replace(engine, plans=replace(plans, hot=None, safe_context=replace(plans.safe_context, safes={})))
