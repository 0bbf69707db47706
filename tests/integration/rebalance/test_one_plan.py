"""There is one plan at a time, and each has its record: what people and the planner do at once, and what ends meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from tests.support.chain.fund import TestFund
from tests.support.scenarios.fund_activity import snapshot_now
from tests.support.scenarios.multisig import FundSafes
from tests.support.scenarios.planning import PlannerHarness, near, spend_from_outside
from tests.support.scenarios.plans import sign_plan

from paimon.application.rebalance_engine.context import RebalanceContext
from paimon.application.rebalance_engine.manual import execute_manual, preview_manual
from paimon.application.rebalance_engine.plan_calls import plan_request
from paimon.application.rebalance_engine.planner_signature import Planner
from paimon.application.rebalance_engine.store import close
from paimon.application.rebalance_engine.submission import RebalanceEnded, RebalanceUnderWay
from paimon.application.transactions.multisig.propose import HashMismatch
from paimon.application.transactions.plans.calls import InvalidPlan
from paimon.application.transactions.plans.submit import PlanSignature
from paimon.composition import AppContext
from paimon.domain.approval.policy import initiator_of
from paimon.domain.approval.ticket import Verdict
from paimon.domain.kernel.chain import parse_address
from paimon.domain.rebalance.buffer import PlannerLook
from paimon.domain.rebalance.rebalance_record import RebalanceRecord, RebalanceStatus
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.domain.user.roles import User, UserRole
from paimon.errors import DetailCode, PaimonError
from paimon.gateway.cli.planner import plan_once
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.plan import PlanRow
from paimon_devkit.stack.accounts import ADMIN

pytestmark = pytest.mark.integration


async def previewed(harness: PlannerHarness, engine: RebalanceContext, by: str) -> tuple[RebalanceRecord, PlanSignature]:
    """Return the decision that this person asked for, and their signature over its plan."""
    user = User(parse_address(harness.plans.fund.accounts.address(by)), UserRole.OPERATOR, by)
    record = (await preview_manual(user, None, engine)).record
    request = replace(plan_request(record), initiator=initiator_of(user))
    return record, await sign_plan(request, engine.plans, harness.plans.fund, by=by)


async def plan_names(harness: PlannerHarness) -> list[str]:
    async with harness.plans.context.database.read() as session:
        return list(await session.scalars(select(PlanRow.name).where(PlanRow.name.like("rebalance:%"))))


def planner_who(harness: PlannerHarness, acts: Callable[[], Awaitable[Any]]) -> Planner:
    """Return the planner, with what happens while it signs."""

    async def sign(*arguments: Any) -> Any:
        await acts()
        return await harness.planner.sign(*arguments)

    return Planner(harness.planner.user, sign)


def of_people(harness: PlannerHarness, engine: RebalanceContext) -> RebalanceContext:
    """The engine with the role of the process that serves people."""
    return replace(engine, plans=replace(engine.plans, safe_context=harness.plans.context.safe_context))


async def test_of_two_people_who_execute_at_once_one_gets_a_plan(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    engine = of_people(harness, harness.engine(app_context, **near(await snapshot_now(app_context, fund))))
    asked = [await previewed(harness, engine, by) for by in ("otto", "ada")]
    answers = await asyncio.gather(
        *(execute_manual(record.id, signature, engine) for record, signature in asked), return_exceptions=True
    )
    (won,) = (answer for answer in answers if isinstance(answer, RebalanceRecord))
    (lost,) = (answer for answer in answers if not isinstance(answer, RebalanceRecord))
    assert isinstance(lost, RebalanceUnderWay | RebalanceEnded), lost
    assert await plan_names(harness) == [won.key]
    assert {record.id: record.status for record in await harness.history()} == {
        record.id: RebalanceStatus.SUBMITTED if record.id == won.id else RebalanceStatus.SUPERSEDED for record, _ in asked
    }


async def test_planner_submits_nothing_when_a_person_was_first(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    engine = harness.engine(app_context, **near(await snapshot_now(app_context, fund)))
    people = of_people(harness, engine)
    person, signature = await previewed(harness, people, "otto")

    async def person_executes() -> None:
        await execute_manual(person.id, signature, people)

    assert await harness.look_as(planner_who(harness, person_executes), engine) is PlannerLook.NOTHING_DUE
    assert await plan_names(harness) == [person.key]
    assert [record.status for record in await harness.history()] == [RebalanceStatus.SUBMITTED, RebalanceStatus.SUPERSEDED]


async def test_decision_that_ended_while_it_was_signed_gets_no_plan(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    engine = harness.engine(app_context, **near(await snapshot_now(app_context, fund)))

    async def it_ends() -> None:
        (record,) = await harness.history()
        async with engine.database.write() as session:
            await close(session, record.id, RebalanceStatus.SUPERSEDED, "too old", now=await database_now(session))

    assert await harness.look_as(planner_who(harness, it_ends), engine) is PlannerLook.NOTHING_DUE
    (ended,) = await harness.history()
    assert (ended.status, ended.close_reason, await plan_names(harness)) == (RebalanceStatus.SUPERSEDED, "too old", [])


@pytest.mark.parametrize("way", ["switched off", "paused", "another plan"])
async def test_decision_of_an_interrupted_look_is_ended_by_what_holds_triggers_back(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund, way: str
) -> None:
    engine = harness.engine(app_context, **near(await snapshot_now(app_context, fund)))

    async def interrupted() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await harness.look_as(planner_who(harness, interrupted), engine)
    if way == "switched off":
        engine, reason = replace(engine, is_automatic=False), "automatic plans are off"
    elif way == "paused":
        fund.send(ADMIN, "AssetController", "pause")
        fund.wait_until_final()
        await snapshot_now(app_context, fund)
        reason = "the AssetController is paused"
    else:
        await harness.plans.submit(harness.plans.buy(1_000), key="buy")
        reason = "the plan buy is under way"
    assert await harness.look(engine) is PlannerLook.NOTHING_DUE
    (ended,) = await harness.history()
    assert (ended.status, ended.close_reason, await plan_names(harness)) == (RebalanceStatus.SUPERSEDED, reason, [])


async def test_person_waits_for_any_plan_and_for_the_snapshot_that_shows_it(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    engine = of_people(harness, harness.engine(app_context, **near(await snapshot_now(app_context, fund))))
    record, signature = await previewed(harness, engine, "otto")
    await harness.plans.submit(harness.plans.buy(1_000), key="buy")
    with pytest.raises(RebalanceUnderWay, match="the plan buy is under way"):
        await execute_manual(record.id, signature, engine)
    await harness.execute_and_snapshot(app_context)
    with pytest.raises(RebalanceUnderWay, match="no snapshot shows the fund after the transaction"):
        await execute_manual(record.id, signature, engine)
    record, signature = await previewed(harness, engine, "otto")
    assert (await execute_manual(record.id, signature, engine)).status is RebalanceStatus.SUBMITTED


async def test_refill_waits_for_a_rebalance_that_its_owners_have_not_signed(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    spend_from_outside(fund, 1_400_000)
    await snapshot_now(app_context, fund)
    assert await harness.look(harness.engine(app_context)) is PlannerLook.PLANNED
    (record,) = await harness.history()
    assert (await harness.plans.row(record.key)).wallet is PlanWallet.COLD
    assert await harness.refill() is None


async def test_rebalance_waits_for_a_refill_that_its_owners_have_not_signed_and_no_longer_than_its_ticket(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    spend_from_outside(fund, 1_400_000)
    await snapshot_now(app_context, fund)
    refill = await harness.refill()
    assert refill.wallet is PlanWallet.COLD
    engine = harness.engine(app_context)
    assert await harness.look(engine) is PlannerLook.NOTHING_DUE
    assert (await harness.reasons())["l1_below"].endswith(f"waits: the plan {refill.name} is under way")
    people = of_people(harness, engine)
    person, signature = await previewed(harness, people, "otto")
    with pytest.raises(RebalanceUnderWay, match=f"the plan {refill.name} is under way"):
        await execute_manual(person.id, signature, people)
    await harness.plans.vote(refill, "vera", Verdict.REJECT)
    assert await harness.look(engine) is PlannerLook.PLANNED


async def test_refill_that_a_person_overtakes_while_it_is_signed_is_not_made(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    spend_from_outside(fund, 1_400_000)
    people = of_people(harness, harness.engine(app_context, **near(await snapshot_now(app_context, fund))))
    person, signature = await previewed(harness, people, "otto")

    async def person_executes() -> None:
        await execute_manual(person.id, signature, people)

    overtaken = replace(harness, planner=planner_who(harness, person_executes))
    assert await overtaken.refill(hot_limit=10**9) is None
    async with harness.plans.context.database.read() as session:
        assert list(await session.scalars(select(PlanRow.name))) == [person.key]


async def test_person_submits_nothing_while_the_fund_is_paused(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    engine = of_people(harness, harness.engine(app_context, **near(await snapshot_now(app_context, fund))))
    record, signature = await previewed(harness, engine, "otto")
    fund.send(ADMIN, "AssetController", "pause")
    fund.wait_until_final()
    await snapshot_now(app_context, fund)
    with pytest.raises(RebalanceUnderWay, match="the AssetController is paused"):
        await execute_manual(record.id, signature, engine)
    assert await plan_names(harness) == []


async def test_sale_of_an_asset_that_has_no_price_any_more_is_refused(
    harness: PlannerHarness, app_context: AppContext, fund: TestFund
) -> None:
    engine = harness.engine(app_context, **near(await snapshot_now(app_context, fund), layer2=-2))

    async def oracle_is_replaced() -> None:
        fund.send(ADMIN, "AssetController", "setOracleAdapter", fund.deployment.usdt)
        fund.wait_until_final()

    assert await harness.look_as(planner_who(harness, oracle_is_replaced), engine) is PlannerLook.NO_PLAN
    (ended,) = await harness.history()
    assert ended.status is RebalanceStatus.REFUSED
    assert "the amount that the plan moves cannot be read" in (ended.close_reason or "")


@pytest.mark.parametrize(
    ("error", "look"),
    [
        (HashMismatch("the Safe has another hash"), PlannerLook.UNAVAILABLE),
        (InvalidPlan(DetailCode.VALUATION_FAILED, "calls", "there is no price"), PlannerLook.NO_PLAN),
    ],
)
async def test_planner_goes_on_after_a_plan_that_cannot_be_made(
    harness: PlannerHarness,
    app_context: AppContext,
    fund: TestFund,
    fund_safes: FundSafes,
    error: PaimonError,
    look: PlannerLook,
) -> None:
    spend_from_outside(fund, 1_400_000)

    async def fails() -> None:
        raise error

    named = {"warm": fund_safes.warm, "cold": fund_safes.cold, "multi_send": fund_safes.safe_factory.multi_send}
    sending = app_context.settings.sending.model_copy(update=named)
    own = replace(app_context, settings=app_context.settings.model_copy(update={"sending": sending}))
    assert await plan_once(planner_who(harness, fails), own) is look
