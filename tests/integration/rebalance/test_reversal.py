"""A rebalance is undone on request, by a plan as any other, once."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from tests.integration.cli.test_cli_tx import output_of
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliRunner, environment_of, keystore_options
from tests.support.scenarios.fund_activity import snapshot_now
from tests.support.scenarios.multisig import FundSafes
from tests.support.scenarios.planning import PlannerHarness, near
from tests.support.scenarios.plans import sign_plan

from paimon.application.rebalance_engine.context import RebalanceContext
from paimon.application.rebalance_engine.manual import RebalanceNotReversible, execute_manual, preview_reversal
from paimon.application.rebalance_engine.plan_calls import plan_request
from paimon.application.rebalance_engine.queries import RebalanceNotFound
from paimon.composition import AppContext
from paimon.domain.approval.policy import initiator_of
from paimon.domain.kernel.chain import checksum, parse_address
from paimon.domain.rebalance.decision import decide, result_text
from paimon.domain.rebalance.rebalance_plan import Method, RebalancePlan, Side
from paimon.domain.rebalance.rebalance_record import RebalanceRecord, RebalanceStatus
from paimon.domain.user.roles import User, UserRole
from paimon.settings import Settings
from paimon_devkit.stack.accounts import ADMIN
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration


OTHER_SIDE: Final = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}


@pytest.fixture
def otto(fund: TestFund) -> User:
    return User(parse_address(fund.accounts.address("otto")), UserRole.OPERATOR, "otto")


async def executed(harness: PlannerHarness, app_context: AppContext, engine: RebalanceContext) -> RebalanceRecord:
    """Let the hot key carry the submitted plan out, and return the last decision."""
    await harness.execute_and_snapshot(app_context)
    await harness.look(replace(engine, is_automatic=False))
    return (await harness.history())[-1]


@pytest.mark.parametrize("layer2", [2, -2])
async def test_reversal_undoes_what_was_traded_and_is_made_once(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund, otto: User, layer2: int
) -> None:
    before = await snapshot_now(app_context, fund)
    engine = harness.engine(app_context, **near(before, layer2=layer2))
    people = replace(engine, plans=replace(engine.plans, safe_context=harness.plans.context.safe_context))
    await harness.look(engine)
    (under_way,) = await harness.history()
    with pytest.raises(RebalanceNotReversible, match="is SUBMITTED: it traded nothing"):
        await preview_reversal(otto, under_way.id, people)
    done = await executed(harness, app_context, engine)
    assert done.calls

    reversal = (await preview_reversal(otto, done.id, people)).record
    plan = reversal.result
    assert isinstance(plan, RebalancePlan)
    assert plan.method is Method.REVERSED
    undone = {(each.trade.token, OTHER_SIDE[each.trade.side]) for each in plan.trades}
    assert undone == {(call.token, call.side) for call in done.calls}
    assert f"reverses, {done.id}" in reversal.reason
    assert result_text(decide(reversal.inputs)) == reversal.result_text
    request = replace(plan_request(reversal), initiator=initiator_of(otto))
    await execute_manual(reversal.id, await sign_plan(request, people.plans, fund), people)
    with pytest.raises(RebalanceNotReversible, match=f"is reversed by rebalance:{reversal.id}, which is SUBMITTED"):
        await preview_reversal(otto, done.id, people)
    ended = await executed(harness, app_context, engine)
    assert (ended.id, ended.status, ended.outcome and ended.outcome.is_as_expected) == (
        reversal.id,
        RebalanceStatus.EXECUTED,
        True,
    )
    after = await snapshot_now(app_context, fund)
    held = {position.token: position.value for position in before.assets}
    assert all(abs(position.value - held[position.token]) <= held[position.token] // 1_000 for position in after.assets)
    with pytest.raises(RebalanceNotReversible, match="which is EXECUTED"):
        await preview_reversal(otto, done.id, people)


async def test_person_at_a_terminal_reverses_a_rebalance_as_their_own_database_role(
    harness: PlannerHarness,
    app_context: AppContext,
    fund: TestFund,
    settings: Settings,
    fund_safes: FundSafes,
    cli: CliRunner,
    postgres: EmbeddedPostgres,
    database_name: str,
    tmp_path: Path,
) -> None:
    engine = harness.engine(app_context, **near(await snapshot_now(app_context, fund)))
    await harness.look(engine)
    done = await executed(harness, app_context, engine)
    named = {"hot": harness.plans.hot, "warm": fund_safes.warm, "cold": fund_safes.cold}
    sending = settings.sending.model_copy(update=named | {"multi_send": fund_safes.safe_factory.multi_send})
    env = environment_of(settings.model_copy(update={"sending": sending})) | {
        "PAIMON_DATABASE__URL": postgres.url("paimon_cli", database_name)
    }
    otto = keystore_options(fund.accounts, "otto", tmp_path)

    def reverse(code: int) -> str:
        return output_of(cli.start("rebalance", "reverse", str(done.id), *otto, "--yes", env=env), code)

    shown = await asyncio.to_thread(reverse, 0)
    reversal = (await harness.history())[-1]
    by = parse_address(fund.accounts.address("otto"))
    assert (reversal.status, reversal.requested_by) == (RebalanceStatus.SUBMITTED, by)
    assert shown.endswith(f"{reversal.id} SUBMITTED: plan {reversal.plan_id}\n")
    assert f"is reversed by {reversal.key}" in await asyncio.to_thread(reverse, 2)


async def test_reversal_that_cannot_be_made_today_trades_nothing(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund, otto: User
) -> None:
    engine = harness.engine(app_context, **near(await snapshot_now(app_context, fund), layer2=-2))
    people = replace(engine, plans=replace(engine.plans, safe_context=harness.plans.context.safe_context))
    await harness.look(engine)
    done = await executed(harness, app_context, engine)
    with pytest.raises(RebalanceNotFound):
        await preview_reversal(otto, UUID(int=9), people)
    token = checksum(done.calls[0].token)
    fund.send(ADMIN, "AssetController", "setAssetPurchaseConfig", token, 2, 0, 0, 1, 2)
    fund.wait_until_final()
    await snapshot_now(app_context, fund)
    preview = await preview_reversal(otto, done.id, people)
    assert (preview.plan, preview.record.status) == (None, RebalanceStatus.NOTHING_TO_DO)
    assert "is not possible today" in (preview.record.close_reason or "")
