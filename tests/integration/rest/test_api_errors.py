"""Tests of error responses: one shape for all, and 503 in time when a component does not answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from tests.support.api_client import ApiClient, add_block, api_client_for, request_row
from tests.support.chain.fund import TestFund
from tests.support.redis import redis_settings

from paimon.composition import open_app_context
from paimon.domain.kernel.chain import parse_address
from paimon.domain.redemption.request import RedemptionChannel, RedemptionStatus
from paimon.gateway.rest.app import create_app
from paimon.gateway.rest.routes.system import HealthReporter
from paimon.gateway.websocket.feed import Feed
from paimon.gateway.websocket.hub import Hub
from paimon.infrastructure.database.sessions import Database
from paimon.settings import DatabaseSettings, Settings

pytestmark = pytest.mark.integration

UNUSED_PORT = 1


def refused(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert body.keys() == {"success", "error", "timestamp", "requestId"}
    assert body["success"] is False
    assert answer.headers["X-Request-ID"] == body["requestId"]
    return answer.status_code, body["error"]["code"]


async def test_unknown_routes_and_methods_get_the_error_envelope(api_client: ApiClient) -> None:
    for path in ("/nothing", "/api/v1", "/api/v1/nothing", "/api/v1/redemptions/", "/api/v2/redemptions"):
        assert refused(await api_client.client.get(path)) == (404, "NOT_FOUND"), path
    wrong_method = await api_client.client.delete("/api/v1/redemptions")
    assert refused(wrong_method) == (405, "METHOD_NOT_ALLOWED")
    assert wrong_method.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("content", "media_type", "expected"),
    [
        (b"{", "application/json", (400, "VALIDATION_ERROR")),
        (b"\xff\xfe{}", "application/json", (400, "VALIDATION_ERROR")),
        (b'{"address":"\\ud800"}', "application/json", (400, "VALIDATION_ERROR")),
        (b"[" * 20_000, "application/json", (400, "VALIDATION_ERROR")),
        (b"null", "application/json", (400, "VALIDATION_ERROR")),
        (b"", "application/json", (400, "VALIDATION_ERROR")),
        (b"address=0x", "application/x-www-form-urlencoded", (415, "UNSUPPORTED_MEDIA_TYPE")),
        (b"{}", "text/plain", (415, "UNSUPPORTED_MEDIA_TYPE")),
        (b"x" * 65_537, "application/json", (413, "PAYLOAD_TOO_LARGE")),
    ],
)
async def test_invalid_body_is_refused(
    api_client: ApiClient, content: bytes, media_type: str, expected: tuple[int, str]
) -> None:
    answer = await api_client.client.post("/api/v1/auth/challenge", content=content, headers={"Content-Type": media_type})
    assert refused(answer) == expected


async def test_too_large_body_without_a_declared_length_is_refused(api_client: ApiClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b" " * 1_000

    answer = await api_client.client.post(
        "/api/v1/auth/challenge", content=endless(), headers={"Content-Type": "application/json"}
    )
    assert refused(answer) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    ("offered", "kept"),
    [("trace-0123456789", True), ("short", False), ("x" * 65, False), ("with space 123", False), ("<script>alert", False)],
)
async def test_request_id_of_the_caller_is_kept_when_valid(api_client: ApiClient, offered: str, kept: bool) -> None:
    answer = await api_client.client.get("/health/live", headers={"X-Request-ID": offered})
    assert answer.headers["X-Request-ID"] == answer.json()["requestId"]
    assert (answer.json()["requestId"] == offered) is kept


async def test_unexpected_error_shows_only_its_request_id(settings: Settings, fund: TestFund) -> None:
    """The application context is an object without any attribute."""
    app = create_app(settings)
    app.state.context = object()
    async with aclosing(app.state.limits), api_client_for(app, settings, fund.accounts) as api_client:
        answer = await api_client.get("/redemptions")
    assert refused(answer) == (500, "INTERNAL_ERROR")
    assert "AttributeError" not in answer.text
    assert "object" not in answer.text


@asynccontextmanager
async def running_without_startup_checks(settings: Settings, fund: TestFund) -> AsyncIterator[ApiClient]:
    """Run the API without the checks of its start, as if a component failed afterwards."""
    app = create_app(settings)
    async with open_app_context(settings, process="test") as app_context:
        app.state.context = app_context
        app.state.health_reporter = HealthReporter(app_context, (Feed(app_context.redis, Hub()).health,))
        async with aclosing(app.state.limits), api_client_for(app, settings, fund.accounts) as api_client:
            yield api_client


@asynccontextmanager
async def silent_port() -> AsyncIterator[int]:
    """Open a port that accepts connections and never sends anything."""
    open_connections: list[asyncio.StreamWriter] = []

    async def swallow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_connections.append(writer)

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in open_connections:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def with_database(settings: Settings, port: int) -> Settings:
    url = SecretStr(f"postgresql+psycopg://paimon_app:secret@127.0.0.1:{port}/paimon")
    return settings.model_copy(update={"database": DatabaseSettings(url=url, connect_timeout_seconds=2)})


def with_redis(settings: Settings, port: int) -> Settings:
    return settings.model_copy(update={"redis": redis_settings(f"redis://127.0.0.1:{port}/0")})


async def request_all(api_client: ApiClient) -> list[tuple[int, str]]:
    answers: list[Any] = [
        await api_client.get("/redemptions"),
        await api_client.get("/approvals/TKT-R000001"),
        await api_client.get("/risk/events"),
    ]
    for answer in answers:
        assert answer.headers["Retry-After"] == "5"
        assert "secret" not in answer.text
        assert "127.0.0.1" not in answer.text
    return [refused(answer) for answer in answers]


async def test_refused_database_connection_is_503(settings: Settings, fund: TestFund) -> None:
    async with running_without_startup_checks(with_database(settings, UNUSED_PORT), fund) as api_client:
        assert set(await request_all(api_client)) == {(503, "SERVICE_UNAVAILABLE")}
        assert refused(await api_client.client.get("/health/ready")) == (503, "SERVICE_UNAVAILABLE")
        health = (await api_client.get("/system/health")).json()["data"]
    assert health["status"] == "DOWN"
    components = {component["name"]: component["status"] for component in health["components"]}
    assert (components["database"], components["redis"], components["listener"]) == ("DOWN", "OK", "DOWN")


async def test_silent_database_is_503(settings: Settings, fund: TestFund) -> None:
    async with (
        silent_port() as port,
        running_without_startup_checks(with_database(settings, port), fund) as api_client,
        asyncio.timeout(20),
    ):
        assert refused(await api_client.get("/redemptions")) == (503, "SERVICE_UNAVAILABLE")


async def test_next_request_succeeds_after_connections_were_terminated(
    api_client: ApiClient, database: Database, settings: Settings
) -> None:
    async with database.write() as session:
        session.add(request_row(1, owner=parse_address(api_client.accounts.address("ines"))))
    assert (await api_client.get("/redemptions")).status_code == 200
    async with database.write() as session:
        terminate = text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'paimon-api'")
        assert (await session.execute(terminate)).scalar_one() >= 1
    assert (await api_client.get("/redemptions")).status_code == 200


async def test_api_serves_from_the_database_without_redis_and_is_not_ready(
    settings: Settings, fund: TestFund, api_client: ApiClient
) -> None:
    async with running_without_startup_checks(with_redis(settings, UNUSED_PORT), fund) as client:
        overview = await client.get("/fund/overview")
        assert refused(overview) == (503, "SERVICE_UNAVAILABLE")
        assert refused(await client.client.get("/health/ready")) == (503, "SERVICE_UNAVAILABLE")
        assert (await client.get("/redemptions")).status_code == 200
        health = (await client.get("/system/health")).json()["data"]
    assert health["status"] == "DEGRADED"


async def test_request_ends_in_time_when_redis_is_silent(settings: Settings, fund: TestFund, api_client: ApiClient) -> None:
    async with (
        silent_port() as port,
        running_without_startup_checks(with_redis(settings, port), fund) as client,
        asyncio.timeout(25),
    ):
        assert refused(await client.get("/fund/overview")) == (503, "SERVICE_UNAVAILABLE")


async def test_unreachable_node_is_503_when_the_chain_is_needed(
    settings: Settings, fund: TestFund, api_client: ApiClient, database: Database
) -> None:
    """Only the settlement of a scheduled request calls the chain: the date of its window is read when due."""
    chain = settings.chain.model_copy(update={"rpc_url": SecretStr(f"http://127.0.0.1:{UNUSED_PORT}"), "attempts_max": 1})
    async with database.write() as session:
        await add_block(session, 1)
        session.add(
            request_row(
                1,
                owner=parse_address(api_client.accounts.address("ines")),
                channel=RedemptionChannel.SCHEDULED,
                requires_approval=False,
                status=RedemptionStatus.PENDING,
            )
        )
    async with running_without_startup_checks(settings.model_copy(update={"chain": chain}), fund) as client:
        settlement = await client.propose("settle_redemption", "/redemptions/1", by="otto")
        assert refused(settlement) == (503, "SERVICE_UNAVAILABLE")
        health = (await client.get("/system/health")).json()["data"]
        components = {component["name"]: component["status"] for component in health["components"]}
        assert (health["status"], components["node"]) == ("DEGRADED", "DOWN")


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("/fund/overview?blok=98", "blok", "there is no such parameter; this endpoint has block"),
        (
            "/redemptions?stauts=PENDING",
            "stauts",
            "there is no such parameter; this endpoint has status, channel, owner, startDate, endDate, page, cursor, pageSize, "
            "format, excel",
        ),
        ("/redemptions?page=1&status=SETTLED&page=2", "page", "is given 2 times, and may be given once"),
        ("/system/config?verbose", "verbose", "there is no such parameter; this endpoint has none"),
        ("/redemptions/1?block=98", "block", "there is no such parameter; this endpoint has none"),
        ("/health/live?x=1", "x", "there is no such parameter; this endpoint has none"),
    ],
)
async def test_unknown_or_repeated_query_parameter_is_refused(
    api_client: ApiClient, query: str, field: str, message: str
) -> None:
    answer = await api_client.client.get(f"/api/v1{query}", headers={"Authorization": f"Bearer {api_client.token('willa')}"})
    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"] == [{"field": field, "message": message}]


async def test_all_problems_of_a_query_are_listed(api_client: ApiClient) -> None:
    answer = await api_client.client.post("/api/v1/auth/challenge?a=1&b=2&b=3", json={"address": "0x" + "11" * 20})
    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["a", "b"]
