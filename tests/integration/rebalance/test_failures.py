"""What stops a rebalance on the local chain, and the state that it leaves: nothing half done, and the records equal the chain.

A call of the hot key that would fail waits for its deadline, and the calls that do not depend on it go on.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import text, update
from tests.support.chain.fund import TestFund
from tests.support.database_roles import WITHOUT_TRIGGERS, acting_as, context_of
from tests.support.factories.rows import insert_row
from tests.support.scenarios.fund_activity import MATERIAL_THRESHOLD, FundActivity, snapshot_now
from tests.support.scenarios.planning import PlannerHarness, near, spend_from_outside
from tests.support.scenarios.plans import appoint_owners, sign_plan

from paimon.application.rebalance_engine.manual import RebalanceNotReversible, execute_manual, preview_reversal
from paimon.application.rebalance_engine.plan_calls import plan_request
from paimon.application.rebalance_engine.planner_signature import Planner
from paimon.application.rebalance_engine.submission import why_wait
from paimon.application.reconciliation.publish import reconcile_and_publish
from paimon.application.transactions.plans.queries import PlanFilter, list_plans
from paimon.composition import AppContext
from paimon.domain.approval.plan_ticket import plan_ticket_id
from paimon.domain.approval.policy import AtDeadline, initiator_of
from paimon.domain.approval.ticket import TicketStatus, Verdict
from paimon.domain.kernel.chain import checksum, parse_address
from paimon.domain.kernel.units import WAD, Bps, RawAmount
from paimon.domain.price.trust import PriceTrust
from paimon.domain.rebalance.buffer import PlannerLook
from paimon.domain.rebalance.rebalance_plan import Side
from paimon.domain.rebalance.rebalance_record import RebalanceRecord, RebalanceStatus, TradeCall
from paimon.domain.rebalance.triggers import Trigger
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.domain.transaction.plan import PlanStatus
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.domain.user.roles import User, UserRole
from paimon.gateway.fund_documents import FundDocuments
from paimon.infrastructure.database.models.ops.approval import ApprovalTicketRow
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow
from paimon.infrastructure.database.models.ops.plan import PlanRow
from paimon.infrastructure.database.models.ops.price import PriceJudgementRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon_devkit.stack.accounts import ADMIN

pytestmark = pytest.mark.integration

AUTO: Final = 2
"""The purchase method of an asset that takes its adapter, or the swap helper without one."""
TOO_MUCH_BPS: Final = 600
"""A price impact above the 5 % that no trade may cost, and above what the contract lets pass."""


@dataclass(frozen=True)
class Case:
    """The engine on this test's fund, with short names for what happens to it."""

    harness: PlannerHarness
    app_context: AppContext
    fund: TestFund

    async def submitted(self, **policy: Any) -> RebalanceRecord:
        """Let the planner submit the plan of this policy."""
        assert await self.harness.look(self.harness.engine(self.app_context, **policy)) is PlannerLook.PLANNED
        return (await self.harness.history())[-1]

    async def concluded(self) -> RebalanceRecord:
        """Let the planner look once more, and return the last decision. Nothing new is planned meanwhile."""
        await snapshot_now(self.app_context, self.fund)
        await self.harness.look(self.harness.engine(self.app_context, is_automatic=False))
        return (await self.harness.history())[-1]

    async def tries(self, **options: Any) -> list[str | None]:
        """Let the hot key try until nothing more happens; return why the open calls wait."""
        sending = self.harness.plans.sending.with_options(**options)
        for _ in range(4):
            await sending.make_due()
            await sending.drive(self.harness.plans.hot)
            self.fund.mine(3)
        return [intent.reason for intent in await sending.open(self.harness.plans.hot)]

    async def deadline_passes(self) -> None:
        async with self.harness.plans.sending.database.write() as session:
            await session.execute(WITHOUT_TRIGGERS)
            await session.execute(update(IntentRow).where(IntentRow.closed_at.is_(None)).values(expires_at=text("now()")))
            await session.execute(update(SafeProposalRow).values(expires_at=text("now()")))
        await self.tries()

    async def quiet_time_passes(self) -> None:
        """Let the conditions of liquidity have fired two hours earlier than they did."""
        earlier = "UPDATE ops.rebalance_triggers SET fired_at = fired_at - interval '2 hours' WHERE trigger = 'liquidity'"
        async with self.harness.plans.sending.database.write() as session:
            await session.execute(text(earlier))

    async def require_equal_to_the_chain(self) -> None:
        self.fund.wait_until_final()
        await snapshot_now(self.app_context, self.fund)
        async with context_of(DatabaseRole.WORKER, self.app_context) as worker:
            documents = FundDocuments(worker.database, worker.redis)
            found = await reconcile_and_publish(
                worker.database, worker.contracts, documents, material_threshold=MATERIAL_THRESHOLD
            )
        assert found.discrepancies == ()

    def admin(self, contract: str, function: str, *arguments: Any) -> None:
        self.fund.send(ADMIN, contract, function, *arguments)
        self.fund.wait_until_final()

    def set_impact(self, call: TradeCall, bps: int) -> None:
        self.admin("SwapHelper", "setPriceImpactBps", checksum(call.token), bps)

    def close_window(self, call: TradeCall) -> None:
        self.admin("AssetController", "setAssetPurchaseConfig", checksum(call.token), AUTO, 0, 0, 1, 2)


@pytest.fixture
def case(harness: PlannerHarness, app_context: AppContext, fund: TestFund) -> Case:
    return Case(harness, app_context, fund)


FAULTS: Final[dict[str, tuple[Callable[[Case, TradeCall], None], dict[str, Any], str]]] = {
    "slippage": (lambda case, call: case.set_impact(call, TOO_MUCH_BPS), {}, "InsufficientOutput(amountOut="),
    "window closed": (lambda case, call: case.close_window(call), {}, "SubscriptionWindowClosed"),
    "paused": (lambda case, _call: case.admin("AssetController", "pause"), {}, "EnforcedPause"),
    "gas": (lambda _case, _call: None, {"max_fee_wei": 1}, "gas"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_call_that_would_fail_is_not_sent_and_ends_with_its_deadline(case: Case, fault: str) -> None:
    happen, options, reason = FAULTS[fault]
    record = await case.submitted(**near(await snapshot_now(case.app_context, case.fund)))
    (call,) = record.calls
    happen(case, call)
    (waits,) = await case.tries(**options)
    assert reason in (waits or "")
    assert (await case.concluded()).status is RebalanceStatus.SUBMITTED
    await case.deadline_passes()
    ended = await case.concluded()
    assert (ended.id, ended.status, ended.close_reason) == (record.id, RebalanceStatus.NOT_EXECUTED, "its plan is EXPIRED")
    assert [intent.status for intent in await case.harness.plans.intents()] == [IntentStatus.EXPIRED]
    await case.require_equal_to_the_chain()


async def test_call_that_waits_for_the_end_of_the_pause_goes_on_after_it(case: Case) -> None:
    await case.submitted(**near(await snapshot_now(case.app_context, case.fund)))
    case.admin("AssetController", "pause")
    assert len(await case.tries()) == 1
    case.admin("AssetController", "unpause")
    assert await case.tries() == []
    case.fund.wait_until_final()
    assert (await case.concluded()).status is RebalanceStatus.EXECUTED
    await case.require_equal_to_the_chain()


async def sells_and_buys(case: Case) -> tuple[RebalanceRecord, TradeCall, TradeCall]:
    """Submit a plan that sells L2 and buys L3."""
    case.admin("AssetController", "setAssetPurchaseConfig", case.fund.asset("RWAC").address, AUTO, 0, 0, 0, 0)
    policy = near(await snapshot_now(case.app_context, case.fund), layer2=-1, layer3=1)
    record = await case.submitted(**policy)
    sale, purchase = record.calls
    assert (sale.side, purchase.side) == (Side.SELL, Side.BUY)
    return record, sale, purchase


async def test_failing_sale_does_not_stop_a_purchase_that_has_its_cash(case: Case) -> None:
    record, sale, _ = await sells_and_buys(case)
    case.set_impact(sale, TOO_MUCH_BPS)
    waits = await case.tries()
    assert ["InsufficientOutput" in (reason or "") for reason in waits] == [True], waits
    await case.deadline_passes()
    case.fund.wait_until_final()
    ended = await case.concluded()
    assert (ended.id, ended.status) == (record.id, RebalanceStatus.PARTIALLY_EXECUTED)
    assert ended.outcome is not None
    assert ended.outcome.trades == 1
    assert [intent.status for intent in await case.harness.plans.intents()] == [IntentStatus.EXPIRED, IntentStatus.FINAL]
    await case.require_equal_to_the_chain()


async def test_purchase_without_cash_waits_for_the_sale_that_pays_it(case: Case) -> None:
    _, sale, _ = await sells_and_buys(case)
    case.set_impact(sale, TOO_MUCH_BPS)
    rebalancer = case.fund.read("AssetController", "REBALANCER_ROLE")
    case.admin("AssetController", "grantRole", rebalancer, case.fund.accounts.address(ADMIN))
    cash = int(case.fund.read("Vault", "getLayer1Cash")) - int(case.fund.read("Vault", "withdrawableRedemptionFees"))
    case.admin("AssetController", "purchaseAsset", case.fund.asset("oTBILL").address, cash - WAD)
    waits = await case.tries()
    assert ["InsufficientOutput" in (waits[0] or ""), "NotEnoughAvailableCash" in (waits[1] or "")] == [True, True], waits
    case.set_impact(sale, 0)
    assert await case.tries() == []
    case.fund.wait_until_final()
    ended = await case.concluded()
    assert ended.status is RebalanceStatus.EXECUTED
    assert ended.outcome is not None
    assert ended.outcome.trades == 2
    await case.require_equal_to_the_chain()


async def test_price_that_moves_after_the_approval_keeps_the_plan_from_running(case: Case) -> None:
    await appoint_owners(case.harness.plans.sending.database, case.fund)
    spend_from_outside(case.fund, 1_400_000)
    await snapshot_now(case.app_context, case.fund)
    record = await case.submitted()
    plan = await case.harness.plans.row(record.key)
    assert plan.wallet is PlanWallet.COLD
    assert (await case.harness.plans.owner_signs(plan, 4, 5, 6)).status is TicketStatus.APPROVED
    for symbol in ("MMFA", "MMFB"):
        asset = case.fund.asset(symbol)
        price = int(case.fund.read("OracleAdapter", "getPrice", asset.address))
        FundActivity(case.fund).set_price(symbol, price * 103 // 100)
    case.fund.wait_until_final()
    await case.harness.plans.execute()
    await case.harness.plans.review(plan)
    ended = await case.concluded()
    assert (ended.id, ended.status) == (record.id, RebalanceStatus.NOT_EXECUTED)
    assert (ended.close_reason or "").startswith("its plan is VOID; ticket TKT-P")
    await case.require_equal_to_the_chain()


async def reject(case: Case, plan: PlanRow) -> None:
    await case.harness.plans.vote(plan, "vera", Verdict.REJECT)


async def cancel(case: Case, plan: PlanRow) -> None:
    await case.harness.plans.vote(plan, "willa", Verdict.CANCEL)


async def miss_the_deadline(case: Case, plan: PlanRow) -> None:
    opened = ApprovalTicketRow.opened_at
    passed = {"warn_at": opened, "escalate_at": opened, "deadline_at": opened, "at_deadline": AtDeadline.REJECT}
    async with case.harness.plans.sending.database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        await session.execute(update(ApprovalTicketRow).where(ApprovalTicketRow.plan_id == plan.id).values(**passed))
    await case.harness.plans.review(plan)


REFUSALS: Final[dict[TicketStatus, Callable[[Case, PlanRow], Awaitable[None]]]] = {
    TicketStatus.REJECTED: reject,
    TicketStatus.CANCELLED: cancel,
    TicketStatus.EXPIRED: miss_the_deadline,
}


@pytest.mark.parametrize("status", REFUSALS)
async def test_ticket_that_ends_without_an_approval_ends_the_rebalance_and_holds_nothing_back(
    case: Case, status: TicketStatus
) -> None:
    await appoint_owners(case.harness.plans.sending.database, case.fund)
    spend_from_outside(case.fund, 1_400_000)
    await snapshot_now(case.app_context, case.fund)
    record = await case.submitted()
    plan = await case.harness.plans.row(record.key)
    await REFUSALS[status](case, plan)
    ended = await case.concluded()
    assert (ended.id, ended.status) == (record.id, RebalanceStatus.NOT_EXECUTED)
    reason = f"its plan is {status}; ticket {plan_ticket_id(plan.id)} is {status}; the owners must reject its Safe transaction"
    assert (ended.close_reason or "").startswith(reason)
    async with case.harness.plans.sending.database.write() as session:
        assert await why_wait(session, record.at) is None
        filters, safes = PlanFilter(is_open=False), case.harness.plans.context.safe_context
        found = await list_plans(session, PageRequest(1, 10), safes, filters)
        assert [(item.id, item.status) for item in found.items] == [(plan.id, PlanStatus(status))]
        await session.execute(text("DELETE FROM ops.rebalance_triggers"))
    assert (await case.submitted()).id != record.id


async def test_what_a_failing_call_left_of_a_reversal_is_undone_by_another_one(case: Case) -> None:
    done, sale, _ = await sells_and_buys(case)
    await case.tries()
    case.fund.wait_until_final()
    assert (await case.concluded()).status is RebalanceStatus.EXECUTED
    otto = User(parse_address(case.fund.accounts.address("otto")), UserRole.OPERATOR, "otto")
    own = case.harness.engine(case.app_context)
    people = replace(own, plans=replace(own.plans, safe_context=case.harness.plans.context.safe_context))

    async def reverse() -> RebalanceRecord:
        """Let Otto undo what is left; of two calls, the purchase finds its window closed until its deadline."""
        reversal = (await preview_reversal(otto, done.id, people)).record
        request = replace(plan_request(reversal), initiator=initiator_of(otto))
        await execute_manual(reversal.id, await sign_plan(request, people.plans, case.fund), people)
        if len(reversal.calls) > 1:
            case.close_window(sale)
        await case.tries()
        await case.deadline_passes()
        case.fund.wait_until_final()
        return await case.concluded()

    first = await reverse()
    assert (first.status, len(first.calls)) == (RebalanceStatus.PARTIALLY_EXECUTED, 2)
    case.admin("AssetController", "setAssetPurchaseConfig", checksum(sale.token), AUTO, 0, 0, 0, 0)
    await snapshot_now(case.app_context, case.fund)
    second = await reverse()
    assert second.status is RebalanceStatus.EXECUTED
    assert [(call.side, call.token) for call in second.calls] == [(Side.BUY, sale.token)]
    with pytest.raises(RebalanceNotReversible, match=f"is reversed by rebalance:{second.id}, which is EXECUTED"):
        await preview_reversal(otto, done.id, people)
    await case.require_equal_to_the_chain()


async def test_decision_without_trades_is_kept_once_for_its_cause(case: Case) -> None:
    spend_from_outside(case.fund, 1_400_000)
    await snapshot_now(case.app_context, case.fund)
    idle = case.harness.engine(case.app_context, slippage_max=Bps(0))
    for _ in range(3):
        assert await case.harness.look(idle) is PlannerLook.NOTHING_DUE
        assert [record.status for record in await case.harness.history()] == [RebalanceStatus.NOTHING_TO_DO]
        await case.quiet_time_passes()
    assert (await case.submitted()).trigger is Trigger.LIQUIDITY, "it is decided on anew after each quiet time"


async def test_untrusted_price_is_not_traded_and_refuses_a_decision_that_does(case: Case) -> None:
    policy = near(await snapshot_now(case.app_context, case.fund))
    engine = case.harness.engine(case.app_context, **policy)

    async def distrusts(*arguments: Any) -> Any:
        async with acting_as(DatabaseRole.WORKER, case.harness.plans.context.database) as worker, worker.write() as session:
            for symbol in ("MMFA", "MMFB"):
                token = parse_address(case.fund.asset(symbol).address)
                judged = {"trust": PriceTrust.UNTRUSTED, "reasons": Jsonb(["a jump from 1 to 7"]), "tier": "L2"}
                await insert_row(session, PriceJudgementRow, token=token, **judged)
        return await case.harness.planner.sign(*arguments)

    planner = Planner(case.harness.planner.user, distrusts)
    assert await case.harness.look_as(planner, engine) is PlannerLook.NO_PLAN
    (refused,) = await case.harness.history()
    assert (refused.status, "a jump from 1 to 7" in (refused.close_reason or "")) == (RebalanceStatus.REFUSED, True)
    async with case.harness.plans.sending.database.write() as session:
        await session.execute(text("DELETE FROM ops.rebalance_triggers"))
    assert await case.harness.look(engine) is PlannerLook.NOTHING_DUE
    later = (await case.harness.history())[-1]
    assert (later.status, later.calls) == (RebalanceStatus.NOTHING_TO_DO, ())


async def test_plan_whose_gas_or_trades_cost_too_much_is_not_made(case: Case) -> None:
    policy = near(await snapshot_now(case.app_context, case.fund))
    engine = case.harness.engine(case.app_context, **policy, gas_per_trade=RawAmount(1_000 * WAD))
    assert await case.harness.look(engine) is PlannerLook.NOTHING_DUE
    (record,) = await case.harness.history()
    assert (record.status, "gas of" in (record.close_reason or "")) == (RebalanceStatus.NOTHING_TO_DO, True)
