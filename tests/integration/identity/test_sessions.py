"""Sessions over REST and a real PostgreSQL: refresh, list, end, and where a browser's refresh token is."""

from datetime import datetime, timedelta
from http.cookies import SimpleCookie

import jwt
import pytest
from sqlalchemy import func, select, update
from tests.support.api_client import ApiClient, require_example
from tests.support.sign_in import OWN_SITE, call, outcome, refresh, shift_session, sign_in

from paimon.infrastructure.database.models.ops.user import RefreshTokenRow, SessionRow
from paimon.infrastructure.database.sessions import Database

pytestmark = pytest.mark.integration


async def test_program_refreshes_and_each_token_follows_the_one_before(api_client: ApiClient) -> None:
    first = (await sign_in(api_client, "vera")).json()["data"]
    answer = await refresh(api_client, first["refreshToken"])
    require_example(answer, "refresh")
    second = answer.json()["data"]
    assert second["sessionId"] == first["sessionId"]
    assert second["sessionExpiresAt"] == first["sessionExpiresAt"], "a refresh prolongs no session"
    assert second["refreshToken"] not in (None, first["refreshToken"])
    assert "set-cookie" not in answer.headers
    third = (await refresh(api_client, second["refreshToken"])).json()["data"]
    assert outcome(await call(api_client, "GET", "/auth/me", third["accessToken"])) == (200, None)


async def test_browser_keeps_its_refresh_token_where_no_script_reads_it(api_client: ApiClient) -> None:
    answer = await sign_in(api_client, "vera", client="BROWSER", **OWN_SITE)
    assert answer.json()["data"]["refreshToken"] is None
    (cookie,) = SimpleCookie(answer.headers["set-cookie"]).values()
    attributes = {name: cookie[name] for name in ("path", "httponly", "samesite", "secure", "domain")}
    # The tests' site is http://localhost.
    expected = {"path": "/api/v1/auth/refresh", "httponly": True, "samesite": "strict", "secure": "", "domain": ""}
    assert (cookie.key, attributes) == ("paimon-refresh", expected)
    renewed = await refresh(api_client, **OWN_SITE)
    assert outcome(renewed) == (200, None)
    (next_cookie,) = SimpleCookie(renewed.headers["set-cookie"]).values()
    assert next_cookie.value != cookie.value
    assert renewed.json()["data"]["refreshToken"] is None
    ended = await call(api_client, "POST", "/auth/logout", renewed.json()["data"]["accessToken"])
    require_example(ended, "logout")
    assert 'paimon-refresh=""' in ended.headers["set-cookie"]
    assert not api_client.client.cookies


async def test_sessions_are_listed_and_ended_one_by_one(api_client: ApiClient) -> None:
    own, other = [(await sign_in(api_client, "vera", **{"User-Agent": name})).json()["data"] for name in ("own\tPC", "lost")]
    answer = await call(api_client, "GET", "/auth/sessions", own["accessToken"])
    require_example(answer, "sessions")
    items = {item["id"]: item for item in answer.json()["data"]["items"]}
    assert (items[own["sessionId"]]["isCurrent"], items[other["sessionId"]]["isCurrent"]) == (True, False)
    assert (items[own["sessionId"]]["client"], items[other["sessionId"]]["client"]) == ("own PC", "lost")

    ended = await call(api_client, "DELETE", f"/auth/sessions/{other['sessionId']}", own["accessToken"])
    require_example(ended, "session_ended")
    assert outcome(await call(api_client, "GET", "/auth/me", other["accessToken"])) == (401, "AUTH_INVALID")
    assert outcome(await refresh(api_client, other["refreshToken"])) == (401, "AUTH_INVALID")
    assert outcome(await call(api_client, "GET", "/auth/me", own["accessToken"])) == (200, None)
    again = await call(api_client, "DELETE", f"/auth/sessions/{other['sessionId']}", own["accessToken"])
    assert outcome(again) == (404, "NOT_FOUND")


async def test_all_sessions_of_a_person_end_at_once(api_client: ApiClient) -> None:
    tokens = [(await sign_in(api_client, "vera")).json()["data"]["accessToken"] for _ in range(2)]
    others = (await sign_in(api_client, "willa")).json()["data"]["accessToken"]
    answer = await call(api_client, "DELETE", "/auth/sessions", tokens[0])
    require_example(answer, "sessions_ended")
    assert answer.json()["data"]["ended"] == 3, "two, and the one that the fixture opened"
    for token in tokens:
        assert outcome(await call(api_client, "GET", "/auth/me", token)) == (401, "AUTH_INVALID")
    assert outcome(await call(api_client, "GET", "/auth/me", others)) == (200, None)


@pytest.mark.parametrize("session_id", ["a931f4c8-2e7e-44e4-b9f8-d8638673f5bb", "of otto"])
async def test_session_of_another_person_is_not_found(api_client: ApiClient, session_id: str) -> None:
    mine = (await sign_in(api_client, "vera")).json()["data"]
    theirs = (await sign_in(api_client, "otto")).json()["data"]
    target = theirs["sessionId"] if session_id == "of otto" else session_id
    assert outcome(await call(api_client, "DELETE", f"/auth/sessions/{target}", mine["accessToken"])) == (404, "NOT_FOUND")
    assert outcome(await call(api_client, "GET", "/auth/me", theirs["accessToken"])) == (200, None)


@pytest.mark.parametrize(
    "back", [{"used_at": timedelta(minutes=31)}, {"expires_at": timedelta(days=7, seconds=1)}], ids=["idle", "over"]
)
async def test_session_ends_by_itself(api_client: ApiClient, database: Database, back: dict[str, timedelta]) -> None:
    tokens = (await sign_in(api_client, "vera")).json()["data"]
    await shift_session(database, tokens["sessionId"], **back)
    assert outcome(await call(api_client, "GET", "/auth/me", tokens["accessToken"])) == (401, "AUTH_EXPIRED")
    assert outcome(await refresh(api_client, tokens["refreshToken"])) == (401, "AUTH_EXPIRED")


async def test_request_keeps_its_session_from_idling(api_client: ApiClient, database: Database) -> None:
    tokens = (await sign_in(api_client, "vera")).json()["data"]
    for _ in range(3):
        await shift_session(database, tokens["sessionId"], used_at=timedelta(minutes=20))
        assert outcome(await call(api_client, "GET", "/auth/me", tokens["accessToken"])) == (200, None)


async def test_access_token_never_outlives_its_session(api_client: ApiClient, database: Database) -> None:
    tokens = (await sign_in(api_client, "vera")).json()["data"]
    await shift_session(database, tokens["sessionId"], expires_at=timedelta(days=6, hours=23, minutes=58))
    renewed = (await refresh(api_client, tokens["refreshToken"])).json()["data"]
    ends = [datetime.fromisoformat(renewed[name]) for name in ("expiresAt", "sessionExpiresAt")]
    assert timedelta(0) <= ends[1] - ends[0] < timedelta(seconds=1)


async def test_old_sessions_are_deleted_with_their_refresh_tokens(api_client: ApiClient, database: Database) -> None:
    old = (await sign_in(api_client, "vera")).json()["data"]
    async with database.write() as session:
        await session.execute(update(SessionRow).values(expires_at=func.now() - timedelta(days=91)))
    await sign_in(api_client, "vera")
    async with database.read() as session:
        assert (await session.execute(select(func.count()).select_from(SessionRow))).scalar_one() == 1
        assert (await session.execute(select(func.count()).select_from(RefreshTokenRow))).scalar_one() == 1
    assert outcome(await call(api_client, "GET", "/auth/me", old["accessToken"])) == (401, "AUTH_INVALID")


async def test_database_holds_no_refresh_token(api_client: ApiClient, database: Database) -> None:
    token = (await sign_in(api_client, "vera")).json()["data"]["refreshToken"]
    async with database.read() as session:
        (stored,) = (await session.execute(select(RefreshTokenRow.hash))).scalars()
    assert stored not in token.encode()
    assert len(stored) == 32


async def test_published_keys_verify_an_access_token(api_client: ApiClient) -> None:
    answer = await api_client.get("/auth/jwks.json", by=None)
    require_example(answer, "token_keys")
    token = api_client.token("vera")
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(answer.json()).keys}
    claims = jwt.decode(token, keys[jwt.get_unverified_header(token)["kid"]], algorithms=["EdDSA"], audience="paimon-api")
    assert claims["sub"] == api_client.accounts.address("vera")
