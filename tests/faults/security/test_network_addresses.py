"""Where a request comes from: no header of a client changes it, and administrators are served in their networks only."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from tests.support.api_client import seed_users
from tests.support.api_server import ApiServer, receive_until_close, running_api_server, send_message
from tests.support.chain.fund import TestFund
from tests.support.sign_in import outcome
from tests.support.signed_grants import grant
from websockets.asyncio.client import connect

from paimon.domain.user.roles import Permission, UserRole
from paimon.infrastructure.database.sessions import Database
from paimon.settings import ApiSettings, Settings

pytestmark = pytest.mark.fault

OFFICE = "203.0.113.9"
SPOOFED = (
    {"X-Forwarded-For": OFFICE},
    {"X-Forwarded-For": f"{OFFICE}, 127.0.0.1"},
    {"Forwarded": f"for={OFFICE}"},
    {"X-Real-IP": OFFICE},
    {"X-Client-IP": OFFICE, "True-Client-IP": OFFICE, "CF-Connecting-IP": OFFICE},
)


@asynccontextmanager
async def server(
    settings: Settings, fund: TestFund, eventually: Callable[..., Any], **changes: Any
) -> AsyncIterator[tuple[ApiServer, Callable[..., Any]]]:
    """Run a real server with these settings of the API, and give a function that asks it as a person."""
    api = ApiSettings(**(settings.api.model_dump() | changes))
    async with (
        running_api_server(settings.model_copy(update={"api": api}), fund, eventually) as opened,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{opened.port}/api/v1") as client,
    ):

        async def ask(name: str, **headers: str) -> tuple[int, str | None]:
            return outcome(await client.get("/me", headers=opened.api_client.headers(name) | headers))

        yield opened, ask


async def test_administrators_are_served_in_their_networks_only(
    settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]
) -> None:
    await seed_users(database, fund)
    async with server(settings, fund, eventually, admin_networks="203.0.113.0/24") as (opened, ask):
        for name in ("ada", "vera"):
            assert await ask(name) == (403, "FORBIDDEN")
            for headers in SPOOFED:
                assert await ask(name, **headers) == (403, "FORBIDDEN"), headers
        assert await ask("otto") == (200, None)
        async with connect(opened.url) as socket:
            await send_message(socket, type="auth", token=opened.api_client.token("vera"))
            code, last = await receive_until_close(socket)
            assert (code, last[-1]["code"]) == (4401, "FORBIDDEN")
        await grant(database, fund, "otto", UserRole.OPERATOR, granted=frozenset({Permission.HANDLE_QUARANTINE}))
        assert await ask("otto") == (403, "FORBIDDEN"), "one administrator's right is enough"


async def test_only_a_trusted_proxy_says_where_an_administrator_is(
    settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]
) -> None:
    await seed_users(database, fund)
    changes = {"admin_networks": "203.0.113.0/24", "trusted_proxies": "127.0.0.1"}
    async with server(settings, fund, eventually, **changes) as (_, ask):
        assert await ask("vera", **{"X-Forwarded-For": OFFICE}) == (200, None)
        assert await ask("vera", **{"X-Forwarded-For": f"{OFFICE}, 198.51.100.7"}) == (403, "FORBIDDEN"), (
            "the proxy adds the address that it saw at the end; what is before it is the client's own word"
        )
        for headers in SPOOFED[2:]:
            assert await ask("vera", **headers) == (403, "FORBIDDEN"), headers


async def test_pages_of_named_origins_only_may_read_answers(
    settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]
) -> None:
    await seed_users(database, fund)
    own = "https://reports.fund.example"
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    async with (
        server(settings, fund, eventually, cors_origins=own) as (opened, _),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{opened.port}/api/v1") as client,
    ):
        for origin, allowed in ((own, own), ("https://evil.example", None), ("null", None), (own + ".evil.example", None)):
            preflight = await client.options("/risk/dry-run", headers=asks | {"Origin": origin})
            answer = await client.get("/me", headers=opened.api_client.headers("willa") | {"Origin": origin})
            for found in (preflight, answer):
                assert found.headers.get("Access-Control-Allow-Origin") == allowed, origin
                assert "Access-Control-Allow-Credentials" not in found.headers
        refused = await client.post("/auth/refresh", json={}, headers={"Origin": own})
        assert outcome(refused) == (403, "FORBIDDEN"), "the cookie is this site's alone"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cors_origins", "*"),
        ("cors_origins", "https://fund.example/"),
        ("cors_origins", "fund.example"),
        ("cors_origins", "https://Fund.example"),
        ("admin_networks", "office"),
        ("admin_networks", "203.0.113.9/24"),
    ],
)
def test_settings_that_would_not_do_what_they_say_are_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        ApiSettings(**{name: value})
