"""API keys over REST and a real PostgreSQL: shown once, narrower than their maker, never a signature."""

from typing import Any

import pytest
from sqlalchemy import select, text, update
from structlog.testing import capture_logs
from tests.support.api_client import AUTH, ApiClient, require_example
from tests.support.chain.fund import TestFund
from tests.support.sign_in import call, outcome, sign_in
from tests.support.signed_grants import grant

from paimon.domain.kernel.chain import parse_address
from paimon.domain.user.roles import Permission, UserRole
from paimon.infrastructure.database.models.ops.user import ApiKeyRow, SubjectKeyRow
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.envelope import wrapping_keys

pytestmark = pytest.mark.integration

WANTED = {"name": "Nightly report", "permissions": ["read"], "days": 30}


async def create(api_client: ApiClient, *, by: str = "otto", **changes: Any) -> Any:
    return await api_client.post("/api-keys", WANTED | changes, by=by)


async def key_of(api_client: ApiClient, *, by: str = "otto", **changes: Any) -> str:
    answer = await create(api_client, by=by, **changes)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"]["key"])


async def test_key_is_shown_once_and_reads_until_it_is_revoked(api_client: ApiClient, database: Database) -> None:
    created = await create(api_client)
    require_example(created, "api_key_created")
    key, details = created.json()["data"]["key"], created.json()["data"]["details"]
    me = await call(api_client, "GET", "/me", key)
    assert me.json()["data"]["address"] == api_client.accounts.address("otto")
    listed = await api_client.get("/api-keys", by="otto")
    require_example(listed, "api_keys")
    assert key not in listed.text
    (shown,) = listed.json()["data"]["items"]
    assert (shown["id"], shown["isActive"], shown["lastUsedFrom"]) == (details["id"], True, "127.0.0.1")
    assert shown["lastUsedAt"] is not None
    async with database.read() as session:
        (stored,) = (await session.execute(select(text("CAST(api_keys AS text)")).select_from(ApiKeyRow))).scalars()
    assert key.removeprefix("paimon_ak_") not in stored

    others = await api_client.client.delete(f"/api/v1/api-keys/{details['id']}", headers=api_client.headers("ada"))
    assert outcome(others) == (404, "NOT_FOUND")
    revoked = await api_client.client.delete(f"/api/v1/api-keys/{details['id']}", headers=api_client.headers("otto"))
    require_example(revoked, "api_key_revoked")
    assert outcome(await call(api_client, "GET", "/me", key)) == (401, "AUTH_INVALID")


async def test_key_is_no_wider_than_its_list_and_signs_nothing(api_client: ApiClient) -> None:
    reading = await key_of(api_client)
    handling = await key_of(api_client, permissions=["read", "handle_risk"])
    acknowledge = "/risk/events/1/acknowledge"
    for key, status in ((reading, 403), (handling, 404)):
        headers = {"Authorization": f"Bearer {key}"}
        answer = await api_client.client.post(f"/api/v1{acknowledge}", json={}, headers=headers)
        assert answer.status_code == status, answer.text
    for permission in ("settle", "decide_approval", "manage_users"):
        refused = await create(api_client, by="ada", permissions=["read", permission])
        assert (outcome(refused), refused.json()["error"]["details"][0]["field"]) == ((400, "VALIDATION_ERROR"), "permissions")
    refused = await create(api_client, by="willa", permissions=["handle_risk"])
    assert "its maker lacks" in refused.text


@pytest.mark.parametrize("wrapped_by", [bytes(8), wrapping_keys(AUTH.personal_data_secrets()).current], ids=["gone", "damaged"])
async def test_key_works_where_its_use_cannot_be_recorded(api_client: ApiClient, database: Database, wrapped_by: bytes) -> None:
    """The maker's key of personal data is wrapped with a secret that is gone, or damaged."""
    maker = parse_address(api_client.accounts.address("otto"))
    key = await key_of(api_client)
    async with database.write() as session:
        broken = update(SubjectKeyRow).values(wrapped_by=wrapped_by, wrapped_key=bytes(60))
        await session.execute(broken.where(SubjectKeyRow.address == maker))
    with capture_logs() as logs:
        for _ in range(2):
            assert outcome(await call(api_client, "GET", "/me", key)) == (200, None)
    assert [entry["log_level"] for entry in logs if entry["event"] == "api_key.use_not_recorded"] == ["error", "error"]


async def test_key_manages_neither_sessions_nor_keys(api_client: ApiClient) -> None:
    key = await key_of(api_client, by="ada", permissions=["read", "handle_risk"])
    wallet = api_client.accounts.address("otto")
    for method, path in (
        ("GET", "/auth/me"),
        ("GET", "/auth/sessions"),
        ("DELETE", "/auth/sessions"),
        ("POST", "/auth/logout"),
        ("GET", "/api-keys"),
        ("GET", f"/users/{wallet}/sessions"),
        ("DELETE", f"/users/{wallet}/sessions"),
    ):
        assert outcome(await call(api_client, method, path, key)) == (403, "FORBIDDEN"), path
    headers = {"Authorization": f"Bearer {key}"}
    made = await api_client.client.post("/api/v1/api-keys", json=WANTED, headers=headers)
    assert outcome(made) == (403, "FORBIDDEN")
    refresh = await api_client.client.post("/api/v1/auth/refresh", json={"refreshToken": key})
    assert outcome(refresh) == (401, "AUTH_INVALID")


async def test_key_shrinks_with_its_maker(api_client: ApiClient, database: Database, fund: TestFund) -> None:
    key = await key_of(api_client, permissions=["read", "handle_risk"])
    headers = {"Authorization": f"Bearer {key}"}

    async def acknowledge() -> int:
        return (await api_client.client.post("/api/v1/risk/events/1/acknowledge", json={}, headers=headers)).status_code

    assert await acknowledge() == 404
    await grant(database, fund, "otto", UserRole.VIEWER)
    assert await acknowledge() == 403
    await grant(database, fund, "otto", UserRole.OPERATOR, denied=frozenset({Permission.READ}))
    assert (await call(api_client, "GET", "/users", key)).status_code == 403
    await grant(database, fund, "otto", None)
    assert outcome(await call(api_client, "GET", "/users", key)) == (401, "AUTH_INVALID")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"networks": ["10.0.0.1/8"]}, "networks"),
        ({"networks": ["fund.example"]}, "networks"),
        ({"name": "  "}, "name"),
        ({"permissions": []}, "permissions"),
        ({"permissions": ["everything"]}, "permissions"),
        ({"days": 0}, "days"),
        ({"days": 10_000}, "days"),
    ],
)
async def test_new_key_names_the_field_that_is_wrong(api_client: ApiClient, changes: dict[str, Any], field: str) -> None:
    answer = await create(api_client, **changes)
    assert (outcome(answer), answer.json()["error"]["details"][0]["field"]) == ((400, "VALIDATION_ERROR"), field)


async def test_key_works_only_from_its_networks(api_client: ApiClient) -> None:
    elsewhere = await key_of(api_client, networks=["203.0.113.0/24"])
    here = await key_of(api_client, networks=["203.0.113.0/24", "127.0.0.1"])
    headers = {"Authorization": f"Bearer {elsewhere}", "X-Forwarded-For": "203.0.113.9"}
    assert outcome(await api_client.client.get("/api/v1/me", headers=headers)) == (401, "AUTH_INVALID")
    assert outcome(await call(api_client, "GET", "/me", here)) == (200, None)


async def test_access_of_a_session_and_a_key_are_apart(api_client: ApiClient) -> None:
    """A key outlives the session that made it, and a made-up one opens nothing."""
    tokens = (await sign_in(api_client, "otto")).json()["data"]
    headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
    made = (await api_client.client.post("/api/v1/api-keys", json=WANTED, headers=headers)).json()["data"]["key"]
    await call(api_client, "POST", "/auth/logout", tokens["accessToken"])
    assert outcome(await call(api_client, "GET", "/me", made)) == (200, None)
    for odd in ("paimon_ak_", "paimon_ak_" + "A" * 43, made[:-1], made + "A", made.upper()):
        assert outcome(await call(api_client, "GET", "/me", odd)) == (401, "AUTH_INVALID"), odd
