"""Tests of the API while PostgreSQL or Redis answers but takes no writes."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
import psycopg
import pytest
from eth_account.messages import encode_defunct
from psycopg import sql
from redis.asyncio import Redis
from tests.support.api_client import ApiClient, api_client_for, running_app
from tests.support.chain.fund import TestFund

from paimon.settings import Settings
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration


async def component_of(api_client: ApiClient, name: str) -> tuple[str, str]:
    """Return a component's status and summary in a health report that is not cached."""
    reporter = api_client.client._transport.app.state.health_reporter  # type: ignore[attr-defined]
    reporter._latest = None
    components = (await api_client.get("/system/health")).json()["data"]["components"]
    return next((component["status"], component["summary"]) for component in components if component["name"] == name)


async def readiness(api_client: ApiClient) -> httpx.Response:
    return await api_client.client.get("/health/ready")


@contextmanager
def read_only_database(postgres: EmbeddedPostgres, name: str) -> Iterator[None]:
    """Make every new session of the database read-only."""
    alter = "ALTER DATABASE {} {} default_transaction_read_only {}"
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        database = sql.Identifier(name)
        connection.execute(sql.SQL(alter).format(database, sql.SQL("SET"), sql.SQL("= on")))
        try:
            yield
        finally:
            connection.execute(sql.SQL(alter).format(database, sql.SQL("RESET"), sql.SQL("")))


async def test_database_without_writes_is_503_and_recovers(
    settings: Settings, fund: TestFund, postgres: EmbeddedPostgres, database_name: str, api_client: ApiClient
) -> None:
    """The second application starts while the database takes no writes, so its connections would never take any."""
    asked = await api_client.post("/auth/challenge", {"address": api_client.accounts.address("vera")})
    message = asked.json()["data"]["message"]
    signature = api_client.accounts.account("vera").sign_message(encode_defunct(text=message)).signature
    sign_in = {"message": message, "signature": "0x" + bytes(signature).hex()}
    async with running_app(settings) as app, api_client_for(app, settings, fund.accounts) as client:
        with read_only_database(postgres, database_name):
            await app.state.context.database.engine.dispose()
            refused = await client.post("/auth/verify", sign_in)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
            assert "takes no writes" in refused.json()["error"]["message"]
            assert (await client.get("/redemptions")).status_code == 200, "reads are served"
            not_ready = await readiness(client)
            assert (not_ready.status_code, not_ready.headers["Retry-After"]) == (503, "5")
            reason = "takes no writes: ReadOnlySqlTransaction"
            assert not_ready.json()["error"]["message"] == f"database {reason}; try again shortly"
            assert await component_of(client, "database") == ("DOWN", reason)
            assert (await client.get("/system/health")).json()["data"]["status"] == "DOWN"
        # A probe replaces the connections that it finds read-only, so the next one passes at the latest.
        assert 200 in [(await readiness(client)).status_code for _ in range(2)]
        assert (await client.post("/auth/verify", sign_in)).status_code == 200, "it was not used up"
        assert await component_of(client, "database") == ("OK", "answers")


@asynccontextmanager
async def refusing_redis(url: str, code: str) -> AsyncIterator[None]:
    """Make Redis refuse writes with this code."""
    settings = {"OOM": ("maxmemory", 1, 0), "NOREPLICAS": ("min-replicas-to-write", 1, 0)}
    async with Redis.from_url(url) as client:
        if code == "READONLY":
            await client.slaveof("127.0.0.1", 1)
        else:
            await client.config_set(settings[code][0], settings[code][1])
        try:
            yield
        finally:
            if code == "READONLY":
                await client.slaveof()
            else:
                await client.config_set(settings[code][0], settings[code][2])


@pytest.mark.parametrize("code", ["READONLY", "OOM", "NOREPLICAS"])
async def test_redis_that_refuses_writes_is_not_ok(api_client: ApiClient, redis_url: str, code: str) -> None:
    async with refusing_redis(redis_url, code):
        not_ready = await readiness(api_client)
        assert not_ready.status_code == 503
        assert not_ready.json()["error"]["message"].startswith("redis takes no writes: ")
        status, summary = await component_of(api_client, "redis")
        assert (status, summary.startswith("takes no writes: ")) == ("DOWN", True)
        assert code in summary
    assert (await readiness(api_client)).status_code == 200
    assert await component_of(api_client, "redis") == ("OK", "answers")
