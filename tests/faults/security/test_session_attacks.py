"""Attacks on sessions: copied refresh tokens, two tabs at once, fixed sessions, pages of other sites, and open sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.support.api_client import ApiClient, seed_users
from tests.support.api_server import ApiServer, receive_message, receive_until_close, running_api_server, send_message
from tests.support.chain.fund import TestFund
from tests.support.sign_in import OWN_SITE, call, outcome, refresh, shift_session, sign_in
from tests.support.signed_grants import grant
from websockets.asyncio.client import connect

from paimon.domain.user.roles import UserRole
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

pytestmark = pytest.mark.fault

AFTER_THE_GRACE = timedelta(seconds=11)


@pytest.mark.parametrize("generations", [1, 3])
async def test_used_refresh_token_ends_the_session_for_everyone(
    api_client: ApiClient, database: Database, generations: int
) -> None:
    stolen = tokens = (await sign_in(api_client, "vera")).json()["data"]
    for _ in range(generations):
        tokens = (await refresh(api_client, tokens["refreshToken"])).json()["data"]
    await shift_session(database, tokens["sessionId"], tokens_used_at=AFTER_THE_GRACE)
    assert outcome(await refresh(api_client, stolen["refreshToken"])) == (401, "AUTH_INVALID")
    assert outcome(await refresh(api_client, tokens["refreshToken"])) == (401, "AUTH_INVALID")
    assert outcome(await call(api_client, "GET", "/auth/me", tokens["accessToken"])) == (401, "AUTH_INVALID")
    own = (await sign_in(api_client, "vera")).json()["data"]
    items = (await call(api_client, "GET", "/auth/sessions", own["accessToken"])).json()["data"]["items"]
    assert [item["endReason"] for item in items if item["id"] == tokens["sessionId"]] == ["REFRESH_TOKEN_REUSED"]


async def test_two_tabs_refresh_at_once_and_only_one_chain_of_tokens_goes_on(api_client: ApiClient) -> None:
    tokens = (await sign_in(api_client, "vera")).json()["data"]
    answers = await asyncio.gather(*(refresh(api_client, tokens["refreshToken"]) for _ in range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6
    following = [data["refreshToken"] for answer in answers if (data := answer.json()["data"])["refreshToken"]]
    assert len(following) == 1
    for answer in answers:
        assert outcome(await call(api_client, "GET", "/auth/me", answer.json()["data"]["accessToken"])) == (200, None)
    assert (await refresh(api_client, following[0])).json()["data"]["refreshToken"]


async def test_tab_that_refreshes_second_leaves_the_cookie_of_the_first(api_client: ApiClient) -> None:
    cookies = api_client.client.cookies
    await sign_in(api_client, "vera", client="BROWSER", **OWN_SITE)
    before = cookies["paimon-refresh"]
    first = await refresh(api_client, **OWN_SITE)
    after = cookies["paimon-refresh"]
    cookies.clear()
    second = await refresh(api_client, Cookie=f"paimon-refresh={before}", **OWN_SITE)
    assert (first.status_code, second.status_code) == (200, 200)
    assert "set-cookie" not in second.headers
    assert after != before


async def test_thief_within_the_grace_gets_no_token_to_go_on_with(api_client: ApiClient, database: Database) -> None:
    """The copy is used within seconds of its owner's use; at the thief's next try the session ends."""
    tokens = (await sign_in(api_client, "vera")).json()["data"]
    owner = (await refresh(api_client, tokens["refreshToken"])).json()["data"]
    thief = (await refresh(api_client, tokens["refreshToken"])).json()["data"]
    assert thief["refreshToken"] is None
    await shift_session(database, tokens["sessionId"], tokens_used_at=AFTER_THE_GRACE)
    assert outcome(await refresh(api_client, tokens["refreshToken"])) == (401, "AUTH_INVALID")
    for data in (owner, thief):
        assert outcome(await call(api_client, "GET", "/auth/me", data["accessToken"])) == (401, "AUTH_INVALID")


@pytest.mark.parametrize("token", ["", "nonsense", "paimon_rt_", "paimon_rt_" + "A" * 43, "\x00"])
async def test_refresh_token_that_was_not_issued_gives_nothing(api_client: ApiClient, token: str) -> None:
    await sign_in(api_client, "vera")
    assert (await refresh(api_client, token)).status_code in (400, 401)


async def test_refresh_token_is_no_access_token_and_the_other_way_round(api_client: ApiClient) -> None:
    tokens = (await sign_in(api_client, "vera")).json()["data"]
    assert outcome(await call(api_client, "GET", "/auth/me", tokens["refreshToken"])) == (401, "AUTH_INVALID")
    assert outcome(await refresh(api_client, tokens["accessToken"][:200])) == (401, "AUTH_INVALID")


async def test_removed_person_refreshes_no_more(api_client: ApiClient, database: Database, fund: TestFund) -> None:
    tokens = (await sign_in(api_client, "vera")).json()["data"]
    await grant(database, fund, "vera", None)
    assert outcome(await refresh(api_client, tokens["refreshToken"])) == (401, "AUTH_INVALID")
    await grant(database, fund, "vera", UserRole.ADMIN)
    assert outcome(await refresh(api_client, tokens["refreshToken"])) == (200, None), "the refused token is not used up"


async def test_sign_in_opens_a_session_that_no_client_chose(api_client: ApiClient) -> None:
    """Session fixation: what a victim's browser holds before the sign-in gives no access after it."""
    attacker = (await sign_in(api_client, "otto")).json()["data"]
    api_client.client.cookies.set("paimon-refresh", attacker["refreshToken"], path="/api/v1/auth/refresh")
    victim = (await sign_in(api_client, "vera", client="BROWSER", **OWN_SITE)).json()["data"]
    assert victim["sessionId"] != attacker["sessionId"]
    mine = (await refresh(api_client, attacker["refreshToken"])).json()["data"]
    assert mine["user"]["address"] == api_client.accounts.address("otto")


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "http://localhost:8000", "https://localhost", "http://localhost.evil.example"],
)
async def test_page_of_another_site_uses_no_cookie_and_sets_none(api_client: ApiClient, origin: str | None) -> None:
    await sign_in(api_client, "vera", client="BROWSER", **OWN_SITE)
    headers = {} if origin is None else {"Origin": origin}
    answers = [await refresh(api_client, **headers), await sign_in(api_client, "otto", client="BROWSER", **headers)]
    for answer in answers:
        assert outcome(answer) == (403, "FORBIDDEN")
        assert "set-cookie" not in answer.headers
    assert outcome(await refresh(api_client, **OWN_SITE)) == (200, None), "the cookie's token is not used up"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_form_of_another_site_refreshes_nothing(api_client: ApiClient, content_type: str) -> None:
    """A page may send a form to another site without asking it first."""
    await sign_in(api_client, "vera", client="BROWSER", **OWN_SITE)
    headers = {"Content-Type": content_type, **OWN_SITE}
    answer = await api_client.client.post("/api/v1/auth/refresh", content="{}", headers=headers)
    assert answer.status_code in (400, 415)


@pytest.fixture
async def quick_server(
    settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]
) -> AsyncIterator[ApiServer]:
    await seed_users(database, fund)
    quick = settings.model_copy(update={"api": settings.api.model_copy(update={"ws_rights_seconds": 0.05})})
    async with running_api_server(quick, fund, eventually) as opened:
        yield opened


async def end_by_owner(client: ApiClient, database: Database, tokens: dict[str, Any]) -> None:
    await call(client, "POST", "/auth/logout", tokens["accessToken"])


async def let_idle(client: ApiClient, database: Database, tokens: dict[str, Any]) -> None:
    await shift_session(database, tokens["sessionId"], used_at=timedelta(minutes=31))


@pytest.mark.parametrize("end", [end_by_owner, let_idle])
async def test_sockets_of_a_session_end_with_it(quick_server: ApiServer, database: Database, end: Callable[..., Any]) -> None:
    client = quick_server.api_client
    lost, kept = [(await sign_in(client, "vera")).json()["data"] for _ in range(2)]
    async with connect(quick_server.url) as first, connect(quick_server.url) as second:
        for socket, tokens in ((first, lost), (second, kept)):
            await send_message(socket, type="auth", token=tokens["accessToken"])
            assert (await receive_message(socket))["type"] == "authenticated"
        await end(client, database, lost)
        code, last = await receive_until_close(first)
        assert (code, last[-1]["code"]) == (4401, "AUTH_INVALID")
        await send_message(second, type="ping")
        assert await receive_message(second) == {"type": "pong"}
