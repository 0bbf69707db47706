"""Reactions look at the present state: events repeated, out of order, late or at once make one ticket, and one reading."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select, text
from tests.support.chain.fund import TestFund
from tests.support.chain.recording import record_all
from tests.support.factories.rows import insert_row
from tests.support.factories.strategies import EPOCH

from paimon.application.common.live import LiveMessage
from paimon.application.redemptions.reactions import LOCKED_NAV, observe_locked_nav, react
from paimon.composition import AppContext
from paimon.domain.approval.ticket import TicketStatus
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import ObservationRow, RedemptionRequestRow
from paimon.infrastructure.database.models.ops.approval import ApprovalTicketRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.sessions import Database
from paimon.settings import ApprovalSettings

pytestmark = pytest.mark.integration

AWAITING = {"status": "PENDING_APPROVAL", "requires_approval": True, "settlement_at": None}
POLICY = ApprovalSettings().policy()


async def request(database: Database, **columns: Any) -> None:
    async with database.write() as session:
        await insert_row(session, RedemptionRequestRow, **columns)


async def the_chain_says(database: Database, status: str, **columns: Any) -> None:
    columns |= {"status": status, "closed_at": EPOCH if status in ("CANCELLED", "SETTLED", "REJECTED") else None}
    changes = ", ".join(f"{column} = :{column}" for column in columns)
    async with database.write() as session:
        await session.execute(text(f"UPDATE derived.redemption_requests SET {changes}"), columns)


async def reacted(database: Database, *events: str, request_id: int = 1) -> list[LiveMessage]:
    async with database.write() as session:
        return await react(session, request_id, events=events, policy=POLICY, now=await database_now(session))


async def tickets(database: Database) -> list[ApprovalTicketRow]:
    async with database.read() as session:
        return [*await session.scalars(select(ApprovalTicketRow))]


def channels(told: list[LiveMessage]) -> list[str]:
    return [message.channel for message in told]


async def test_an_event_that_comes_again_and_again_raises_one_ticket(database: Database) -> None:
    await request(database, **AWAITING)
    told = [await reacted(database, "RedemptionRequested") for _ in range(3)]
    (ticket,) = await tickets(database)
    assert (ticket.request_id, ticket.status) == (1, TicketStatus.PENDING)
    assert [channels(each) for each in told] == [["redemption:new", "approval:new"], ["redemption:new"], ["redemption:new"]]


async def test_two_workers_at_the_same_moment_raise_one_ticket(database: Database) -> None:
    await request(database, **AWAITING)
    told = await asyncio.gather(*(reacted(database, "RedemptionRequested") for _ in range(4)))
    assert len(await tickets(database)) == 1
    assert sum("approval:new" in channels(each) for each in told) == 1


async def test_a_request_that_needs_nobody_gets_no_ticket_whatever_is_said(database: Database) -> None:
    await request(database)
    await reacted(database, "RedemptionRequested", "RedemptionApproved")
    assert await tickets(database) == []


@pytest.mark.parametrize("status", ["CANCELLED", "APPROVED"])
async def test_a_reaction_that_comes_after_all_is_over_raises_no_ticket(database: Database, status: str) -> None:
    await request(database, **AWAITING)
    await the_chain_says(database, status)
    assert "approval:new" not in channels(await reacted(database, "RedemptionRequested"))
    assert await tickets(database) == []


@pytest.mark.parametrize(
    ("status", "columns", "outcome", "outside"),
    [
        ("APPROVED", {"settlement_at": EPOCH}, TicketStatus.APPROVED, True),
        ("REJECTED", {"rejection_reason": "no"}, TicketStatus.REJECTED, True),
        ("CANCELLED", {}, TicketStatus.CANCELLED, False),
    ],
)
async def test_a_ticket_is_closed_once_by_what_the_chain_shows_whichever_event_is_named(
    database: Database, status: str, columns: dict[str, Any], outcome: TicketStatus, outside: bool
) -> None:
    await request(database, **AWAITING)
    await reacted(database, "RedemptionRequested")
    await the_chain_says(database, status, **columns)
    told = [await reacted(database, event) for event in ("RedemptionRequested", "RedemptionApproved", "RedemptionCancelled")]
    (ticket,) = await tickets(database)
    assert (ticket.status, ticket.closed_at is not None, ticket.decided_externally) == (outcome, True, outside)
    assert ["approval:resolved" in channels(each) for each in told] == [True, False, False]


async def test_people_are_told_of_the_state_not_of_the_event(database: Database) -> None:
    """A late `RedemptionRequested` of a request that is settled by now must not show it as pending."""
    await request(database)
    await the_chain_says(database, "SETTLED", settled_fee=1, settled_net_amount=9)
    told = await reacted(database, "RedemptionRequested", "RedemptionSettled")
    assert channels(told) == ["redemption:new", "redemption:settled"]
    assert {message.data["status"] for message in told} == {"SETTLED"}
    assert {message.data["settledNetAmount"] for message in told} == {"9"}


async def test_a_request_whose_event_is_quarantined_is_reacted_to_with_nothing(database: Database) -> None:
    assert await reacted(database, "RedemptionRequested", request_id=77) == []
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(OutboxMessageRow)) == 0


async def observations(database: Database) -> list[ObservationRow]:
    async with database.read() as session:
        return [*await session.scalars(select(ObservationRow).where(ObservationRow.kind == LOCKED_NAV))]


async def due_readings(database: Database) -> int:
    async with database.read() as session:
        query = select(func.count()).select_from(OutboxMessageRow).where(OutboxMessageRow.kind == "observe_locked_nav")
        return await session.scalar(query) or 0


async def test_the_nav_a_request_was_locked_at_is_read_from_the_chain_once(app_context: AppContext, fund: TestFund) -> None:
    request_id = fund.request("ines", 10_000)
    await record_all(app_context, fund)
    await reacted(app_context.database, "RedemptionRequested", request_id=request_id)
    assert await due_readings(app_context.database) == 1
    await observe_locked_nav(app_context.database, app_context.contracts, request_id)
    (seen,) = await observations(app_context.database)
    on_chain = fund.read("RedemptionManager", "getRedemptionRequest", request_id)["lockedNav"]
    assert seen.data == {"lockedNav": str(on_chain)}
    assert seen.subject == str(request_id)

    fund.mine(1)
    await record_all(app_context, fund)
    await observe_locked_nav(app_context.database, app_context.contracts, request_id)
    await reacted(app_context.database, "RedemptionRequested", request_id=request_id)
    assert len(await observations(app_context.database)) == 1
    assert await due_readings(app_context.database) == 1
    with pytest.raises(CallReverted, match="RequestNotFound"):
        await observe_locked_nav(app_context.database, app_context.contracts, request_id + 1)


async def test_before_anything_is_recorded_there_is_nothing_to_read_it_at(app_context: AppContext) -> None:
    await observe_locked_nav(app_context.database, app_context.contracts, 1)
    assert await observations(app_context.database) == []
