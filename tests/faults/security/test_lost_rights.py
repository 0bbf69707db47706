"""A right that ends stops working at once: between reading and voting, and on open sockets within seconds."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import delete
from tests.support.api_client import ApiClient, grant_approver_role, request_row, seed_users, signed_body
from tests.support.api_server import ApiServer, receive_message, receive_until_close, running_api_server, send_message
from tests.support.chain.fund import TestFund
from tests.support.sign_in import outcome
from tests.support.signed_grants import grant

from paimon.application.approval_workflow.open_ticket import open_ticket_if_needed
from paimon.composition import AppContext
from paimon.domain.approval.first_policy import FIRST_POLICY
from paimon.domain.kernel.chain import parse_address
from paimon.domain.user.roles import Permission, UserRole
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import RoleHolderRow
from paimon.infrastructure.database.rows.redemption import to_domain
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

pytestmark = pytest.mark.fault

TICKET = "TKT-R000001"


async def lose_chain_role(database: Database, fund: TestFund) -> None:
    """Remove vera's role as the listener does once its block is final."""
    async with database.write() as session:
        account = parse_address(fund.accounts.address("vera"))
        await session.execute(delete(RoleHolderRow).where(RoleHolderRow.account == account))


async def lose_role(database: Database, fund: TestFund) -> None:
    await grant(database, fund, "vera", UserRole.OPERATOR)


async def lose_right(database: Database, fund: TestFund) -> None:
    await grant(database, fund, "vera", UserRole.ADMIN, denied=frozenset({Permission.DECIDE_APPROVAL}))


LOSSES = [lose_chain_role, lose_role, lose_right]


async def test_vote_is_refused_when_a_right_ended_after_reading(
    api_client: ApiClient, app_context: AppContext, database: Database, fund: TestFund
) -> None:
    """vera reads and signs while she may vote. Each of her rights ends before the vote arrives."""
    await grant_approver_role(database, api_client.accounts, "vera")
    async with database.write() as session:
        row = request_row(1, owner=parse_address(api_client.accounts.address("ines")))
        session.add(row)
        await session.flush()
        await open_ticket_if_needed(session, to_domain(row), FIRST_POLICY, now=await database_now(session))
    shown = await api_client.get(f"/approvals/{TICKET}", by="vera")
    body = signed_body(shown.json()["data"]["signing"]["approve"], api_client.accounts.account("vera"))
    for lose in LOSSES:
        await lose(database, fund)
        assert outcome(await api_client.post(f"/approvals/{TICKET}/approve", body, by="vera")) == (403, "FORBIDDEN"), lose
        await grant(database, fund, "vera", UserRole.ADMIN)
        if lose is lose_chain_role:
            await grant_approver_role(database, api_client.accounts, "vera")
    assert (await api_client.post(f"/approvals/{TICKET}/approve", body, by="vera")).status_code == 200, "nothing was used up"


@pytest.fixture
async def quick_server(
    settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]
) -> AsyncIterator[ApiServer]:
    await seed_users(database, fund)
    quick = settings.model_copy(update={"api": settings.api.model_copy(update={"ws_rights_seconds": 0.05})})
    async with running_api_server(quick, fund, eventually) as opened:
        yield opened


@pytest.mark.parametrize("lose", LOSSES)
async def test_socket_ends_with_a_right_of_its_person(
    quick_server: ApiServer, database: Database, fund: TestFund, lose: Callable[..., Any]
) -> None:
    await grant_approver_role(database, fund.accounts, "vera", "viktor")
    async with quick_server.client("vera") as losing, quick_server.client("viktor") as keeping:
        await lose(database, fund)
        code, last = await receive_until_close(losing)
        assert (code, last[-1]["code"]) == (4401, "AUTH_INVALID")
        await send_message(keeping, type="ping")
        assert await receive_message(keeping) == {"type": "pong"}
    async with quick_server.client("vera"):
        """She may sign in again, with what she has now."""
