"""Plans that the policy wants approved: from the request through the owners' signatures to the effect on a real chain."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from eth_utils.crypto import keccak
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError
from tests.support.chain.fund import WAD
from tests.support.chain.safes import address_of, owner_account
from tests.support.database_roles import WITHOUT_TRIGGERS
from tests.support.scenarios.plans import PlanHarness
from tests.support.signed_grants import grant

from paimon.application.approval_tickets.store import insert_record, lock_plan_ticket, save_outcome
from paimon.application.approval_workflow.sla import sweep_deadlines
from paimon.application.common.signing_rules import SignatureEvidence
from paimon.application.identity.permissions import NotPermitted
from paimon.application.transactions.multisig.execute import execute_ready
from paimon.application.transactions.multisig.propose import propose_rejection
from paimon.application.transactions.plans.calls import RequestedCall
from paimon.application.transactions.plans.submit import submit_plan
from paimon.domain.approval.plan_ticket import PlanTicket, give_verdict
from paimon.domain.approval.policy import Initiator
from paimon.domain.approval.ticket import AlreadyVoted, TicketClosed, TicketStatus, TicketType, Verdict, Vote, VoterNotAllowed
from paimon.domain.approval.vote import VerdictNotTaken, VoteContent
from paimon.domain.kernel.chain import Hash32, checksum, parse_address
from paimon.domain.risk.risk_event import RiskKind, Severity
from paimon.domain.user.roles import UserRole
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.approval import ApprovalTicketRow
from paimon.infrastructure.database.models.ops.approval_policy import ApprovalPolicyRow
from paimon.infrastructure.database.models.ops.plan import PlanRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.sessions import Database, WriteSession

pytestmark = pytest.mark.integration

WARM, COLD = (1, 2), (4, 5, 6)


def controller(function: str, **arguments: Any) -> RequestedCall:
    return RequestedCall("AssetController", function, {name: str(value) for name, value in arguments.items()})


def is_active(harness: PlanHarness, token: str) -> bool:
    return parse_address(token) in harness.fund.read("AssetController", "getLayerAssets", 1)


@dataclass(frozen=True)
class Case:
    """One type of ticket: the plan that needs it, who signs, and what the chain shows afterwards."""

    type: TicketType
    call: Callable[[PlanHarness], RequestedCall]
    shown: Callable[[PlanHarness], Any]
    signers: tuple[int, ...] = COLD
    initiator: Initiator = Initiator.ADMIN
    prepare: Callable[[PlanHarness], Any] = lambda _harness: None

    def __str__(self) -> str:
        return self.type.lower()


def mmfb(harness: PlanHarness) -> str:
    return str(harness.fund.asset("MMFB").address)


CASES = [
    Case(
        TicketType.REBALANCE_SMALL,
        lambda harness: harness.buy(60_000),
        lambda harness: harness.fund.read("AssetController", "getLayerValue", 1) > 0,
        WARM,
        Initiator.PLANNER,
    ),
    Case(
        TicketType.REBALANCE_LARGE,
        lambda harness: harness.buy(210_000),
        lambda harness: harness.fund.read("AssetController", "getLayerValue", 1) > 0,
        COLD,
        Initiator.PLANNER,
    ),
    Case(
        TicketType.ASSET_ADD,
        lambda harness: controller("addAssetSimple", token=mmfb(harness), tier=1, allocation=100),
        lambda harness: is_active(harness, mmfb(harness)),
        prepare=lambda harness: harness.fund.send("ada", "AssetController", "removeAsset", mmfb(harness)),
    ),
    Case(
        TicketType.ASSET_REMOVE,
        lambda harness: controller("removeAsset", token=mmfb(harness)),
        lambda harness: not is_active(harness, mmfb(harness)),
    ),
    Case(
        TicketType.FEE_WITHDRAW,
        lambda _harness: controller("collectFees"),
        lambda harness: harness.fund.read("AssetController", "getPendingFees")["total"] < WAD,
        prepare=lambda harness: harness.fund.warp(30 * 86_400),
    ),
    Case(
        TicketType.EMERGENCY_MODE,
        lambda _harness: RequestedCall("Vault", "setEmergencyMode", {"enabled": True}),
        lambda harness: harness.fund.read("Vault", "emergencyMode"),
        prepare=lambda harness: harness.fund.send(
            "ada", "Vault", "grantRole", keccak(text="ADMIN_ROLE"), checksum(harness.safe_harness.safes.cold)
        ),
    ),
    Case(
        TicketType.MANUAL_OPERATION,
        lambda _harness: controller("setDefaultSwapSlippage", slippageBps=150),
        lambda harness: harness.fund.read("AssetController", "defaultSwapSlippage") == 150,
    ),
]


async def requested(harness: PlanHarness, case: Case) -> PlanRow:
    case.prepare(harness)
    harness.fund.wait_until_final()
    request = replace(harness.plan_request(case.call(harness)), initiator=case.initiator)
    return await submit_plan(request, await harness.sign(request, role=UserRole.ADMIN), harness.context)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_plan_of_each_type_takes_effect_when_its_ticket_is_approved(plan_harness: PlanHarness, case: Case) -> None:
    plan = await requested(plan_harness, case)
    ticket = await plan_harness.ticket(plan)
    assert (ticket.type, ticket.status, ticket.rules) == (case.type, TicketStatus.PENDING, (case.type.lower(),))
    assert ticket.required_approvals == len(case.signers), "the Safe's threshold governs above the policy's count"
    *first, last = case.signers
    assert (await plan_harness.owner_signs(plan, *first)).status is TicketStatus.PARTIALLY_APPROVED
    await plan_harness.execute()
    assert not (await plan_harness.ticket(plan)).closed_at, "too few signatures execute nothing"
    assert (await plan_harness.owner_signs(plan, last)).status is TicketStatus.APPROVED
    await plan_harness.execute()
    ticket = await plan_harness.ticket(plan)
    assert (ticket.status, ticket.decided_externally, ticket.closed_at is not None) == (TicketStatus.APPROVED, False, True)
    assert case.shown(plan_harness)


def proposal_of(plan: PlanRow) -> Hash32:
    assert plan.proposal is not None
    return Hash32(plan.proposal)


async def slippage_plan(harness: PlanHarness, key: str = "plan-1") -> PlanRow:
    """A plan of the cold Safe that Otto asks for."""
    return await harness.submit(controller("setDefaultSwapSlippage", slippageBps=150), key=key)


async def approved(harness: PlanHarness) -> PlanRow:
    plan = await slippage_plan(harness)
    assert (await harness.owner_signs(plan, *COLD)).status is TicketStatus.APPROVED
    return plan


async def require_not_executed(harness: PlanHarness, plan: PlanRow) -> None:
    await harness.execute()
    assert harness.fund.read("AssetController", "defaultSwapSlippage") != 150
    assert (await harness.ticket(plan)).closed_at is None


async def test_signatures_of_owners_without_the_role_approve_nothing(plan_harness: PlanHarness) -> None:
    for number in COLD[1:]:
        operator = address_of(owner_account(number))
        await grant(
            plan_harness.safe_harness.database, plan_harness.fund, f"owner-{number}", UserRole.OPERATOR, address=operator
        )
    plan = await slippage_plan(plan_harness)
    assert (await plan_harness.owner_signs(plan, *COLD)).status is TicketStatus.PARTIALLY_APPROVED
    await require_not_executed(plan_harness, plan)


async def test_approval_ends_with_the_role_of_an_owner_before_the_execution(plan_harness: PlanHarness) -> None:
    plan = await approved(plan_harness)
    for number in COLD[1:]:
        await grant(
            plan_harness.safe_harness.database,
            plan_harness.fund,
            f"owner-{number}",
            None,
            address=address_of(owner_account(number)),
        )
    await require_not_executed(plan_harness, plan)
    assert (await plan_harness.ticket(plan)).status is TicketStatus.PARTIALLY_APPROVED


async def test_ticket_of_a_policy_whose_signature_does_not_count_is_not_approved(plan_harness: PlanHarness) -> None:
    await plan_harness.put_in_force(rule("ALERT", {"count": 1, "from": "admin"}))
    plan = await slippage_plan(plan_harness)
    async with plan_harness.safe_harness.database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        await session.execute(update(ApprovalPolicyRow).where(ApprovalPolicyRow.version == 2).values(reason="another reason"))
    assert (await plan_harness.owner_signs(plan, *COLD)).status is TicketStatus.PARTIALLY_APPROVED
    await require_not_executed(plan_harness, plan)


async def test_requester_signs_neither_approval_nor_rejection_and_alone_cancels(plan_harness: PlanHarness) -> None:
    request = plan_harness.plan_request(controller("setDefaultSwapSlippage", slippageBps=150))
    signature = await plan_harness.sign(request, by=4, role=UserRole.ADMIN)
    plan = await submit_plan(request, signature, plan_harness.context)
    with pytest.raises(VoterNotAllowed, match="never approves it"):
        await plan_harness.owner_signs(plan, 4)
    with pytest.raises(VoterNotAllowed, match="cancels it"):
        await plan_harness.vote(plan, 4, Verdict.REJECT)
    with pytest.raises(VoterNotAllowed, match="only the person who asked"):
        await plan_harness.vote(plan, 5, Verdict.CANCEL)
    assert (await plan_harness.vote(plan, 4, Verdict.CANCEL)).status is TicketStatus.CANCELLED
    with pytest.raises(TicketClosed, match="is CANCELLED"):
        await plan_harness.owner_signs(plan, 5)


async def test_rejected_plan_is_not_executed_with_all_its_signatures(plan_harness: PlanHarness) -> None:
    plan = await approved(plan_harness)
    with pytest.raises(NotPermitted):
        await plan_harness.vote(plan, "viktor", Verdict.REJECT, role=UserRole.OPERATOR)
    with pytest.raises(VerdictNotTaken, match="owners' signatures"):
        await plan_harness.vote(plan, "vera", Verdict.APPROVE)
    with pytest.raises(AlreadyVoted):
        await plan_harness.vote(plan, 4, Verdict.REJECT)
    assert (await plan_harness.vote(plan, "vera", Verdict.REJECT)).status is TicketStatus.REJECTED
    await require_not_executed(plan_harness, plan)


async def test_execution_from_elsewhere_without_approval_closes_the_ticket_and_is_a_critical_event(
    plan_harness: PlanHarness,
) -> None:
    plan = await approved(plan_harness)
    await plan_harness.vote(plan, "vera", Verdict.REJECT)
    assert await plan_harness.safe_harness.execute_externally(proposal_of(plan))
    ticket = await plan_harness.review(plan)
    assert (ticket.status, ticket.decided_externally) == (TicketStatus.APPROVED, True)
    (event,) = await events(plan_harness)
    assert (event.kind, event.severity, event.observed) == (RiskKind.UNAPPROVED_EXECUTION, Severity.CRITICAL, "REJECTED")


async def test_rejection_by_the_safe_closes_the_ticket(plan_harness: PlanHarness) -> None:
    plan = await slippage_plan(plan_harness)
    safe_harness = plan_harness.safe_harness
    rejection = await propose_rejection(proposal_of(plan), safe_harness.context, proposed_by=safe_harness.vera.address)
    await plan_harness.safe_harness.sign(rejection, *COLD)
    await plan_harness.execute()
    ticket = await plan_harness.ticket(plan)
    assert (ticket.status, ticket.decided_externally, ticket.closed_at is not None) == (TicketStatus.REJECTED, True, True)


async def events(harness: PlanHarness) -> list[RiskEventRow]:
    async with harness.context.database.read() as session:
        return list(await session.scalars(select(RiskEventRow)))


def move_price(harness: PlanHarness) -> None:
    asset = harness.fund.asset("oTBILL")
    price = harness.fund.read("OracleAdapter", "getPrice", asset.address)
    harness.fund.send("ada", "OracleAdapter", "setPrice", asset.address, price * 102 // 100)


def raise_minimum(harness: PlanHarness) -> None:
    token = harness.fund.asset("MMFA").address
    harness.fund.send("ada", "AssetController", "setAssetPurchaseConfig", token, 1, 100, 50_000 * WAD, 0, 0)


def sell(harness: PlanHarness) -> RequestedCall:
    asset = harness.fund.asset("oTBILL")
    return controller("redeemAsset", token=asset.address, tokenAmount=20_000 * 10**asset.decimals)


@pytest.mark.parametrize(
    ("call", "change", "reason"),
    [
        (sell, move_price, "were asked for"),
        (lambda harness: harness.buy(20_000), raise_minimum, "would no longer pass: it would succeed and do nothing"),
    ],
    ids=["amount", "simulation"],
)
async def test_drift_voids_what_was_collected(
    plan_harness: PlanHarness, call: Callable[[PlanHarness], RequestedCall], change: Callable[[PlanHarness], None], reason: str
) -> None:
    plan = await plan_harness.submit(call(plan_harness))
    assert (await plan_harness.owner_signs(plan, *WARM)).status is TicketStatus.APPROVED
    assert (await plan_harness.review(plan)).status is TicketStatus.APPROVED, "nothing has changed yet"
    change(plan_harness)
    ticket = await plan_harness.review(plan)
    assert (ticket.status, reason in (ticket.void_reason or "")) == (TicketStatus.VOID, True)
    await execute_ready(plan_harness.safe_harness.worker, keeper=plan_harness.sending.keeper)
    assert await plan_harness.sending.open(plan_harness.sending.keeper) == []
    (event,) = await events(plan_harness)
    assert (event.kind, event.observed) == (RiskKind.TICKET_VOID, ticket.void_reason)


def rule(at_deadline: str, *groups: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "board",
        "verdict": "NEEDS_APPROVALS",
        "when": {},
        "ticket": "MANUAL_OPERATION",
        "approvals": [list(groups)],
        "sla": {"warnSeconds": 60, "escalateSeconds": 120, "deadlineSeconds": 180, "atDeadline": at_deadline},
    }


@pytest.mark.parametrize(("at_deadline", "status"), [("REJECT", TicketStatus.EXPIRED), ("ALERT", TicketStatus.PENDING)])
async def test_deadline_ends_the_voting_where_the_rule_says_so(
    plan_harness: PlanHarness, at_deadline: str, status: TicketStatus
) -> None:
    await plan_harness.put_in_force(rule(at_deadline, {"count": 1, "from": "admin"}))
    plan = await slippage_plan(plan_harness)
    ticket = await plan_harness.ticket(plan)
    async with plan_harness.safe_harness.worker.database.write() as session:
        late = await sweep_deadlines(session, now=ticket.warn_at)
        assert [found.id for found in late] == [ticket.id]
    async with plan_harness.safe_harness.database.write() as session:
        await session.execute(WITHOUT_TRIGGERS)
        past = {name: text("now() - interval '1 second'") for name in ("warn_at", "escalate_at", "deadline_at")}
        await session.execute(update(ApprovalTicketRow).values(**past))
    async with plan_harness.safe_harness.worker.database.write() as session:
        await sweep_deadlines(session, now=await database_now(session))
    assert (await plan_harness.ticket(plan)).status is status
    if status is TicketStatus.EXPIRED:
        with pytest.raises(TicketClosed, match="is EXPIRED"):
            await plan_harness.owner_signs(plan, 4)


async def test_every_group_must_approve_and_a_person_counts_in_one(plan_harness: PlanHarness) -> None:
    named = checksum(address_of(owner_account(4)))
    groups = ({"count": 2, "from": "admin"}, {"count": 1, "from": [named]})
    await plan_harness.put_in_force(rule("ALERT", *groups))
    plan = await slippage_plan(plan_harness)
    assert (await plan_harness.owner_signs(plan, 5, 6)).status is TicketStatus.PARTIALLY_APPROVED
    assert (await plan_harness.owner_signs(plan, "pair")).status is TicketStatus.PARTIALLY_APPROVED, "three, without the named"
    assert (await plan_harness.owner_signs(plan, 4)).status is TicketStatus.APPROVED


async def is_a_session_waiting_for_a_lock(database: Database) -> bool:
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
    async with database.read() as session:
        return bool((await session.execute(waiting)).scalar_one())


async def record_rejection(session: WriteSession, harness: PlanHarness, ticket: PlanTicket) -> None:
    """Write Vera's rejection in the caller's transaction, as `decide_ticket` does."""
    rules, now = harness.context.signing_rules, await database_now(session)
    terms, account = rules.new_terms(now), harness.fund.accounts.account("vera")
    document = VoteContent(ticket, Verdict.REJECT).document("no", terms, rules.scope)
    signature = bytes(account.sign_typed_data(full_message=document).signature)
    vote = Vote(parse_address(account.address), Verdict.REJECT, "no", now, terms, signature)
    await insert_record(session, ticket.id, vote, SignatureEvidence(vote.voter, terms, document, signature))
    await save_outcome(session, give_verdict(ticket, vote))


async def test_signature_waits_for_a_rejection_and_is_refused(
    plan_harness: PlanHarness, eventually: Callable[..., Any]
) -> None:
    """Without the lock on the ticket (`with_for_update` in the store) the signature approves what was rejected."""
    plan = await slippage_plan(plan_harness)
    await plan_harness.owner_signs(plan, *COLD[:2])
    database = plan_harness.context.database
    async with database.write() as session:
        ticket = await lock_plan_ticket(session, proposal_of(plan))
        assert isinstance(ticket, PlanTicket)
        signing = asyncio.create_task(plan_harness.owner_signs(plan, COLD[2]))
        await eventually(lambda: is_a_session_waiting_for_a_lock(plan_harness.safe_harness.database), seconds_max=60)
        await record_rejection(session, plan_harness, ticket)
    with pytest.raises(TicketClosed, match="is REJECTED"):
        await signing


async def test_deadline_leaves_a_ticket_to_who_decides_it_now(
    plan_harness: PlanHarness, eventually: Callable[..., Any]
) -> None:
    """Without the lock of `lock_late` the sweep waits with what it read, and would then expire what was rejected."""
    await plan_harness.put_in_force(rule("REJECT", {"count": 1, "from": "admin"}))
    plan = await slippage_plan(plan_harness)
    late = (await plan_harness.ticket(plan)).deadline_at
    worker = plan_harness.safe_harness.worker.database

    async def sweep() -> None:
        async with worker.write() as session:
            await sweep_deadlines(session, now=late)

    async with plan_harness.context.database.write() as session:
        ticket = await lock_plan_ticket(session, proposal_of(plan))
        assert isinstance(ticket, PlanTicket)
        await record_rejection(session, plan_harness, ticket)
        sweeping = asyncio.create_task(sweep())

        async def is_swept_or_waiting() -> bool:
            return sweeping.done() or await is_a_session_waiting_for_a_lock(plan_harness.safe_harness.database)

        await eventually(is_swept_or_waiting, seconds_max=60)
    await sweeping
    await sweep()
    assert (await plan_harness.ticket(plan)).status is TicketStatus.REJECTED


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"status": TicketStatus.APPROVED}, "nothing recorded decides APPROVED"),
        ({"status": TicketStatus.REJECTED}, "nothing recorded decides REJECTED"),
        ({"status": TicketStatus.CANCELLED}, "nothing recorded decides CANCELLED"),
        ({"status": TicketStatus.EXPIRED}, "nothing recorded decides EXPIRED"),
        ({"status": TicketStatus.APPROVED, "closed_at": func.now()}, "has not used the nonce"),
    ],
)
async def test_no_process_decides_a_ticket_by_a_statement(plan_harness: PlanHarness, values: dict[str, Any], why: str) -> None:
    plan = await slippage_plan(plan_harness)
    await plan_harness.owner_signs(plan, *COLD[:2])
    for database in (plan_harness.context.database, plan_harness.safe_harness.worker.database):
        with pytest.raises(DBAPIError, match=why):
            async with database.write() as session:
                await session.execute(update(ApprovalTicketRow).values(**values, decided_at=func.now()))
