"""Handling a redemption: repeated, late, reordered or concurrent events make one ticket and one NAV reading."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select, text
from tests.support.api_client import record_outcome
from tests.support.chain.fund import TestFund
from tests.support.chain.recording import record_all
from tests.support.factories.rows import insert_row
from tests.support.factories.strategies import EPOCH

from paimon.application.common.live import LiveMessage
from paimon.application.redemptions.handle_redemption import handle_redemption, observe_locked_nav
from paimon.application.redemptions.store import LOCKED_NAV
from paimon.composition import AppContext
from paimon.domain.approval.first_policy import FIRST_POLICY
from paimon.domain.approval.ticket import TicketStatus
from paimon.gateway.views.live_messages import live_document
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import ObservationRow, RedemptionRequestRow
from paimon.infrastructure.database.models.ops.approval import ApprovalTicketRow
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration

AWAITING = {"status": "PENDING_APPROVAL", "requires_approval": True, "settlement_at": None}
POLICY = FIRST_POLICY


async def request(database: Database, **columns: Any) -> None:
    async with database.write() as session:
        await insert_row(session, RedemptionRequestRow, **columns)


async def set_chain_status(database: Database, status: str, **columns: Any) -> None:
    columns |= {"status": status, "closed_at": EPOCH if status in ("CANCELLED", "SETTLED", "REJECTED") else None}
    changes = ", ".join(f"{column} = :{column}" for column in columns)
    async with database.write() as session:
        await session.execute(text(f"UPDATE derived.redemption_requests SET {changes}"), columns)
        await record_outcome(session, 1, status)


async def handled(database: Database, *events: str, request_id: int = 1) -> list[LiveMessage]:
    async with database.write() as session:
        return await handle_redemption(session, request_id, events=events, policy=POLICY, now=await database_now(session))


async def tickets(database: Database) -> list[ApprovalTicketRow]:
    async with database.read() as session:
        return [*await session.scalars(select(ApprovalTicketRow))]


def channels(messages: list[LiveMessage]) -> list[str]:
    return [message.channel for message in messages]


async def test_repeated_event_opens_one_ticket(database: Database) -> None:
    await request(database, **AWAITING)
    published = [await handled(database, "RedemptionRequested") for _ in range(3)]
    (ticket,) = await tickets(database)
    assert (ticket.request_id, ticket.status) == (1, TicketStatus.PENDING)
    assert [channels(messages) for messages in published] == [
        ["redemption:new", "approval:new"],
        ["redemption:new"],
        ["redemption:new"],
    ]


async def test_concurrent_workers_open_one_ticket(database: Database) -> None:
    await request(database, **AWAITING)
    published = await asyncio.gather(*(handled(database, "RedemptionRequested") for _ in range(4)))
    assert len(await tickets(database)) == 1
    assert sum("approval:new" in channels(messages) for messages in published) == 1


async def test_request_without_approval_gets_no_ticket(database: Database) -> None:
    await request(database)
    await handled(database, "RedemptionRequested", "RedemptionApproved")
    assert await tickets(database) == []


@pytest.mark.parametrize("status", ["CANCELLED", "APPROVED"])
async def test_late_event_opens_no_ticket_when_the_request_is_decided(database: Database, status: str) -> None:
    await request(database, **AWAITING)
    await set_chain_status(database, status)
    assert "approval:new" not in channels(await handled(database, "RedemptionRequested"))
    assert await tickets(database) == []


@pytest.mark.parametrize(
    ("status", "columns", "outcome", "externally"),
    [
        ("APPROVED", {"settlement_at": EPOCH}, TicketStatus.APPROVED, True),
        ("REJECTED", {"rejection_reason": "no"}, TicketStatus.REJECTED, True),
        ("CANCELLED", {}, TicketStatus.CANCELLED, False),
    ],
)
async def test_ticket_closes_once_with_the_chain_outcome_on_any_event(
    database: Database, status: str, columns: dict[str, Any], outcome: TicketStatus, externally: bool
) -> None:
    await request(database, **AWAITING)
    await handled(database, "RedemptionRequested")
    await set_chain_status(database, status, **columns)
    published = [
        await handled(database, event) for event in ("RedemptionRequested", "RedemptionApproved", "RedemptionCancelled")
    ]
    (ticket,) = await tickets(database)
    assert (ticket.status, ticket.closed_at is not None, ticket.decided_externally) == (outcome, True, externally)
    assert ["approval:resolved" in channels(messages) for messages in published] == [True, False, False]


async def test_live_messages_show_the_present_state_of_the_request(database: Database) -> None:
    """A late `RedemptionRequested` of a settled request must not show it as pending."""
    await request(database)
    await set_chain_status(database, "SETTLED", settled_fee=1, settled_net_amount=9)
    messages = await handled(database, "RedemptionRequested", "RedemptionSettled")
    assert channels(messages) == ["redemption:new", "redemption:settled"]
    documents = [live_document(message) for message in messages]
    assert {document["status"] for document in documents} == {"SETTLED"}
    assert {document["settledNetAmount"] for document in documents} == {"9"}


async def test_unknown_request_leads_to_no_message_and_no_work(database: Database) -> None:
    assert await handled(database, "RedemptionRequested", request_id=77) == []
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(OutboxMessageRow)) == 0


async def observations(database: Database) -> list[ObservationRow]:
    async with database.read() as session:
        return [*await session.scalars(select(ObservationRow).where(ObservationRow.kind == LOCKED_NAV))]


async def due_readings(database: Database) -> int:
    async with database.read() as session:
        query = select(func.count()).select_from(OutboxMessageRow).where(OutboxMessageRow.kind == "observe_locked_nav")
        return await session.scalar(query) or 0


async def test_locked_nav_is_read_from_the_chain_once(app_context: AppContext, fund: TestFund) -> None:
    request_id = fund.request("ines", 10_000)
    await record_all(app_context, fund)
    await handled(app_context.database, "RedemptionRequested", request_id=request_id)
    assert await due_readings(app_context.database) == 1
    await observe_locked_nav(app_context.database, app_context.contracts, request_id)
    (seen,) = await observations(app_context.database)
    on_chain = fund.read("RedemptionManager", "getRedemptionRequest", request_id)["lockedNav"]
    assert seen.data == {"lockedNav": str(on_chain)}
    assert seen.subject == str(request_id)

    fund.mine(1)
    await record_all(app_context, fund)
    await observe_locked_nav(app_context.database, app_context.contracts, request_id)
    await handled(app_context.database, "RedemptionRequested", request_id=request_id)
    assert len(await observations(app_context.database)) == 1
    assert await due_readings(app_context.database) == 1
    with pytest.raises(CallReverted, match="RequestNotFound"):
        await observe_locked_nav(app_context.database, app_context.contracts, request_id + 1)


async def test_locked_nav_is_not_read_before_the_first_block(app_context: AppContext) -> None:
    await observe_locked_nav(app_context.database, app_context.contracts, 1)
    assert await observations(app_context.database) == []
