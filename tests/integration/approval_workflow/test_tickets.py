"""Tickets in a real PostgreSQL: opened once, decided once, closed by the chain, and announced when late."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text
from structlog.testing import capture_logs
from tests.support.api_client import BLOCK_TIME, grant_approver_role, record_outcome, request_row, signed_body
from tests.support.chain.fund import TestFund

from paimon.application.approval_tickets.store import (
    find_ticket,
    get_ticket,
    insert_record,
    lock_ticket,
    save_outcome,
)
from paimon.application.approval_workflow.decide import DecideTicket, decide_ticket
from paimon.application.approval_workflow.open_ticket import adopt_chain_outcome, open_ticket_if_needed
from paimon.application.approval_workflow.queries import sla_report
from paimon.application.approval_workflow.sla import sweep_deadlines
from paimon.application.common.signed_action import SignedAction
from paimon.application.common.signing_rules import SignatureEvidence
from paimon.composition import AppContext
from paimon.domain.approval.first_policy import FIRST_POLICY
from paimon.domain.approval.plan_ticket import AnyTicket
from paimon.domain.approval.policy import ApprovalPolicy
from paimon.domain.approval.policy_document import parse_policy, policy_document
from paimon.domain.approval.ticket import (
    AlreadyVoted,
    RedemptionTicket,
    SlaStage,
    TicketClosed,
    TicketStatus,
    Verdict,
    Vote,
    decide,
)
from paimon.domain.approval.vote import VoteContent
from paimon.domain.kernel.chain import parse_address
from paimon.domain.redemption.request import Redemption, RedemptionChannel, RedemptionStatus
from paimon.domain.user.roles import User, UserRole
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import RedemptionRequestRow
from paimon.infrastructure.database.models.ops.approval import ApprovalRecordRow, ApprovalTicketRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.rows.redemption import to_domain, to_values

pytestmark = pytest.mark.integration

TICKET = "TKT-R000001"


def awaiting(fund: TestFund, **changes: object) -> Redemption:
    return replace(to_domain(request_row(1, owner=parse_address(fund.accounts.address("ines")))), **changes)  # type: ignore[arg-type]


async def shown_on_chain(app_context: AppContext, fund: TestFund, status: RedemptionStatus) -> Redemption:
    """Record the request with this status, as the listener would, and return it."""
    of_status: dict[RedemptionStatus, dict[str, object]] = {
        RedemptionStatus.SETTLED: {"settled_fee": 1, "settled_net_amount": 2, "closed_at": BLOCK_TIME},
        RedemptionStatus.REJECTED: {"rejection_reason": "why", "closed_at": BLOCK_TIME},
        RedemptionStatus.CANCELLED: {"closed_at": BLOCK_TIME},
    }
    redemption = awaiting(fund, status=status, **of_status.get(status, {}))
    async with app_context.database.write() as session:
        await session.merge(RedemptionRequestRow(**to_values(redemption, updated_block=1)))
        await record_outcome(session, 1, status)
    return redemption


async def clock(app_context: AppContext) -> datetime:
    async with app_context.database.read() as session:
        return await database_now(session)


def policy_with(required: int) -> ApprovalPolicy:
    """Return a policy whose standard redemptions need this many votes, within minutes."""
    document = policy_document(FIRST_POLICY)
    (rule,) = (rule for rule in document["rules"] if rule["name"] == "standard_redemption")
    rule["approvals"][0][0]["count"] = required
    rule["sla"] |= {"warnSeconds": 60, "escalateSeconds": 120, "deadlineSeconds": 180}
    return parse_policy(document, version=1)


async def opened(app_context: AppContext, fund: TestFund, *, required: int = 1) -> RedemptionTicket:
    policy = policy_with(required)
    async with app_context.database.write() as session:
        ticket = await open_ticket_if_needed(session, awaiting(fund), policy, now=await database_now(session))
    assert ticket is not None
    return ticket


async def vote(
    app_context: AppContext, fund: TestFund, ticket: RedemptionTicket, name: str, verdict: Verdict = Verdict.APPROVE
) -> AnyTicket:
    rules = app_context.signing_rules
    terms = rules.new_terms(await clock(app_context))
    document = VoteContent(ticket, verdict).document("why", terms, rules.scope)
    user = User(parse_address(fund.accounts.address(name)), UserRole.ADMIN, name)
    body = signed_body(document, fund.accounts.account(name), reason="why")
    return await decide_ticket(
        DecideTicket(ticket.id, user, verdict, "why", SignedAction(terms, str(body["signature"]))),
        database=app_context.database,
        contracts=app_context.contracts,
        rules=rules,
        approver=app_context.settings.sending.approver,
    )


async def counts(app_context: AppContext) -> tuple[int, int]:
    async with app_context.database.read() as session:
        votes = (await session.execute(select(func.count()).select_from(ApprovalRecordRow))).scalar_one()
        intents = (await session.execute(select(func.count()).select_from(IntentRow))).scalar_one()
    return votes, intents


async def test_concurrent_calls_open_one_ticket(app_context: AppContext, fund: TestFund) -> None:

    async def open_one() -> RedemptionTicket | None:
        async with app_context.database.write() as session:
            return await open_ticket_if_needed(session, awaiting(fund), FIRST_POLICY, now=await database_now(session))

    found = await asyncio.gather(*(open_one() for _ in range(8)))
    assert [ticket.id for ticket in found if ticket is not None] == [TICKET]


@pytest.mark.parametrize("status", [status for status in RedemptionStatus if status is not RedemptionStatus.PENDING_APPROVAL])
async def test_no_ticket_opens_for_a_request_that_awaits_no_approval(
    app_context: AppContext, fund: TestFund, status: RedemptionStatus
) -> None:
    async with app_context.database.write() as session:
        assert (
            await open_ticket_if_needed(session, awaiting(fund, status=status), FIRST_POLICY, now=await database_now(session))
            is None
        )


async def test_ticket_follows_the_policy_of_its_channel(app_context: AppContext, fund: TestFund) -> None:
    async with app_context.database.write() as session:
        now = await database_now(session)
        ticket = await open_ticket_if_needed(
            session, awaiting(fund, channel=RedemptionChannel.EMERGENCY), FIRST_POLICY, now=now
        )
    assert ticket is not None
    assert (ticket.type, ticket.deadline_at - now) == ("EMERGENCY_REDEMPTION", timedelta(hours=4))
    async with app_context.database.read() as session:
        assert await get_ticket(session, ticket.id) == ticket


async def test_second_vote_waits_for_the_first_to_commit(
    app_context: AppContext, fund: TestFund, eventually: Callable[..., Any]
) -> None:
    """The ticket needs two votes, and the second comes after the first has voted and before it commits.

    Without the ticket's lock (`with_for_update` in the store) the second vote does not see the first. The ticket then ends
    PARTIALLY_APPROVED with two votes, and no call is queued. The test failed so every time with the lock removed.
    """
    await grant_approver_role(app_context.database, fund.accounts, "vera", "viktor")
    ticket = await opened(app_context, fund, required=2)
    vera = parse_address(fund.accounts.address("vera"))
    async with app_context.database.write() as session:
        locked = await lock_ticket(session, TICKET)
        assert isinstance(locked, RedemptionTicket)
        now = await database_now(session)
        first = decide(locked, Vote(vera, Verdict.APPROVE, "", now))
        terms = app_context.signing_rules.new_terms(now)
        document = VoteContent(locked, Verdict.APPROVE).document("", terms, app_context.signing_rules.scope)
        signature = bytes(fund.accounts.account("vera").sign_typed_data(full_message=document).signature)
        evidence = SignatureEvidence(vera, terms, document, signature)
        await insert_record(session, ticket.id, first.votes[0], evidence)
        await save_outcome(session, first)
        second = asyncio.create_task(vote(app_context, fund, ticket, "viktor"))
        await eventually(lambda: is_a_session_waiting_for_a_lock(app_context))
    assert (await second).status is TicketStatus.APPROVED
    assert await counts(app_context) == (2, 1)


async def is_a_session_waiting_for_a_lock(app_context: AppContext) -> bool:
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
    async with app_context.database.read() as session:
        return bool((await session.execute(waiting)).scalar_one())


async def test_second_vote_of_one_approver_is_refused_even_concurrently(app_context: AppContext, fund: TestFund) -> None:
    await grant_approver_role(app_context.database, fund.accounts, "vera")
    ticket = await opened(app_context, fund, required=3)
    results = await asyncio.gather(*(vote(app_context, fund, ticket, "vera") for _ in range(4)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["AlreadyVoted"] * 3 + ["RedemptionTicket"]
    with pytest.raises(AlreadyVoted):
        await vote(app_context, fund, ticket, "vera", Verdict.REJECT)
    assert await counts(app_context) == (1, 0)


async def test_concurrent_approval_and_rejection_have_one_outcome_and_one_call(app_context: AppContext, fund: TestFund) -> None:
    await grant_approver_role(app_context.database, fund.accounts, "vera", "viktor")
    ticket = await opened(app_context, fund)
    results = await asyncio.gather(
        vote(app_context, fund, ticket, "vera"),
        vote(app_context, fund, ticket, "viktor", Verdict.REJECT),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == [RedemptionTicket.__name__, TicketClosed.__name__]
    assert await counts(app_context) == (1, 1)


@pytest.mark.parametrize(
    ("shown", "expected", "externally"),
    [
        (RedemptionStatus.APPROVED, TicketStatus.APPROVED, True),
        (RedemptionStatus.SETTLED, TicketStatus.APPROVED, True),
        (RedemptionStatus.REJECTED, TicketStatus.REJECTED, True),
        (RedemptionStatus.CANCELLED, TicketStatus.CANCELLED, False),
    ],
)
async def test_chain_outcome_closes_the_ticket_once(
    app_context: AppContext, fund: TestFund, shown: RedemptionStatus, expected: TicketStatus, externally: bool
) -> None:
    await opened(app_context, fund)

    async def adopt(status: RedemptionStatus) -> RedemptionTicket | None:
        async with app_context.database.write() as session:
            return await adopt_chain_outcome(session, awaiting(fund, status=status), now=await database_now(session))

    assert await adopt(RedemptionStatus.PENDING_APPROVAL) is None
    await shown_on_chain(app_context, fund, shown)
    closed = [ticket for ticket in await asyncio.gather(*(adopt(shown) for _ in range(5))) if ticket is not None]
    assert [(ticket.status, ticket.decided_externally) for ticket in closed] == [(expected, externally)]
    async with app_context.database.read() as session:
        assert await find_ticket(session, TICKET) == closed[0]


async def test_ticket_closed_as_voted_is_not_decided_externally(app_context: AppContext, fund: TestFund) -> None:
    await grant_approver_role(app_context.database, fund.accounts, "vera")
    await vote(app_context, fund, await opened(app_context, fund), "vera")
    redemption = await shown_on_chain(app_context, fund, RedemptionStatus.APPROVED)
    async with app_context.database.write() as session:
        closed = await adopt_chain_outcome(session, redemption, now=await database_now(session))
    assert closed is not None
    assert (closed.status, closed.decided_externally) == (TicketStatus.APPROVED, False)


async def test_each_sla_stage_is_announced_once_and_decides_nothing(app_context: AppContext, fund: TestFund) -> None:
    ticket = await opened(app_context, fund)
    announced: list[tuple[int, str, str]] = []
    for seconds in (0, 59, 60, 61, 120, 179, 180, 10_000):
        with capture_logs() as logs:
            async with app_context.database.write() as session:
                await sweep_deadlines(session, now=ticket.opened_at + timedelta(seconds=seconds))
        announced += [(seconds, entry["stage"], entry["log_level"]) for entry in logs if entry["event"] == "ticket.became_late"]
    assert announced == [(60, "WARN", "warning"), (120, "ESCALATE", "warning"), (180, "OVERDUE", "critical")]
    async with app_context.database.read() as session:
        assert (await get_ticket(session, TICKET)).status is TicketStatus.PENDING


async def test_late_sweep_announces_only_the_present_stage(app_context: AppContext, fund: TestFund) -> None:
    ticket = await opened(app_context, fund)
    now = ticket.opened_at + timedelta(days=1)

    async def one_sweep() -> int:
        async with app_context.database.write() as session:
            return len(await sweep_deadlines(session, now=now))

    assert sum(await asyncio.gather(*(one_sweep() for _ in range(4)))) == 1
    async with app_context.database.read() as session:
        assert (await session.scalars(select(ApprovalTicketRow.sla_stage))).one() is SlaStage.OVERDUE


async def test_closed_ticket_is_never_late(app_context: AppContext, fund: TestFund) -> None:
    ticket = await opened(app_context, fund)
    redemption = await shown_on_chain(app_context, fund, RedemptionStatus.CANCELLED)
    async with app_context.database.write() as session:
        await adopt_chain_outcome(session, redemption, now=await database_now(session))
    async with app_context.database.write() as session:
        assert await sweep_deadlines(session, now=ticket.opened_at + timedelta(days=1)) == []
        report = await sla_report(session, now=ticket.opened_at + timedelta(days=1))
    (figures,) = report.figures
    assert (figures.opened, figures.cancelled, figures.waiting, report.waiting) == (1, 1, 0, [])
