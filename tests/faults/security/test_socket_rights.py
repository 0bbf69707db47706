"""An open socket ends with its person's right: until its token expired, a removed person went on receiving."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest
from tests.support.api_client import seed_users
from tests.support.api_server import ApiServer, receive_message, receive_until_close, running_api_server, send_message
from tests.support.chain.fund import TestFund
from tests.support.signed_grants import grant

from paimon.domain.user.roles import UserRole
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

pytestmark = pytest.mark.fault


@pytest.fixture
async def api_server(
    settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]
) -> AsyncIterator[ApiServer]:
    await seed_users(database, fund)
    quick = settings.model_copy(update={"api": settings.api.model_copy(update={"ws_rights_seconds": 0.05})})
    async with running_api_server(quick, fund, eventually) as opened:
        yield opened


async def remove(database: Database, fund: TestFund) -> None:
    await grant(database, fund, "willa", None)


async def raise_role(database: Database, fund: TestFund) -> None:
    await grant(database, fund, "willa", UserRole.OPERATOR)


@pytest.mark.parametrize("end_right", [remove, raise_role])
async def test_sockets_of_a_person_end_with_their_right(
    api_server: ApiServer, database: Database, fund: TestFund, end_right: Callable[[Database, TestFund], Any]
) -> None:
    channels = ["redemption:new"]
    async with (
        api_server.client("willa", channels=channels) as first,
        api_server.client("willa", channels=channels) as second,
        api_server.client("otto", channels=channels) as other,
        api_server.client(None) as unknown,
    ):
        await end_right(database, fund)
        for socket in (first, second):
            code, last = await receive_until_close(socket)
            assert (code, last[-1]["code"]) == (4401, "AUTH_INVALID")
        await api_server.publish("redemption:new", requestId="1")
        assert (await receive_message(other))["data"] == {"requestId": "1"}
        await send_message(unknown, type="ping")
        assert await receive_message(unknown) == {"type": "pong"}


async def test_socket_is_kept_while_the_users_cannot_be_read(
    api_server: ApiServer, database: Database, fund: TestFund, owner_url: str
) -> None:
    """Its token's expiry still ends it. Once the users can be read again, the next look decides."""
    async with api_server.client("willa", channels=["redemption:new"]) as client:
        with psycopg.connect(owner_url.replace("+psycopg", ""), autocommit=True) as owner:
            owner.execute("ALTER TABLE ops.user_grants RENAME TO grants_away")
        await api_server.publish("redemption:new", requestId="1")
        assert (await receive_message(client))["data"] == {"requestId": "1"}
        with psycopg.connect(owner_url.replace("+psycopg", ""), autocommit=True) as owner:
            owner.execute("ALTER TABLE ops.grants_away RENAME TO user_grants")
        await remove(database, fund)
        assert (await receive_until_close(client))[0] == 4401
