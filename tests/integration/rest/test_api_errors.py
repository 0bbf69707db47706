"""Every failure has one shape, and a part that does not answer is 503, not an endless wait or a traceback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from tests.support.api_client import ApiClient, add_block, api_client_for, request_row
from tests.support.chain.fund import TestFund

from paimon.composition import open_app_context
from paimon.domain.kernel.chain import parse_address
from paimon.domain.redemption.request import RedemptionChannel, RedemptionStatus
from paimon.gateway.rest.app import create_app
from paimon.gateway.rest.routes.system import HealthReporter
from paimon.infrastructure.database.sessions import Database
from paimon.settings import DatabaseSettings, RedisSettings, Settings

pytestmark = pytest.mark.integration

NOBODY_LISTENS = 1


def refused(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert body.keys() == {"success", "error", "timestamp", "requestId"}
    assert body["success"] is False
    assert answer.headers["X-Request-ID"] == body["requestId"]
    return answer.status_code, body["error"]["code"]


async def test_unknown_routes_and_methods_answer_in_the_same_shape(api_client: ApiClient) -> None:
    for path in ("/", "/api/v1", "/api/v1/nothing", "/api/v1/redemptions/", "/api/v2/redemptions"):
        assert refused(await api_client.client.get(path)) == (404, "NOT_FOUND"), path
    wrong_method = await api_client.client.delete("/api/v1/redemptions")
    assert refused(wrong_method) == (405, "METHOD_NOT_ALLOWED")
    assert wrong_method.headers["Allow"] == "GET"


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
async def test_bodies_that_are_no_use(
    api_client: ApiClient, content: bytes, media_type: str, expected: tuple[int, str]
) -> None:
    answer = await api_client.client.post("/api/v1/auth/challenge", content=content, headers={"Content-Type": media_type})
    assert refused(answer) == expected


async def test_a_body_without_a_declared_length_is_cut_off_too(api_client: ApiClient) -> None:
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
async def test_a_sane_request_id_goes_end_to_end(api_client: ApiClient, offered: str, kept: bool) -> None:
    answer = await api_client.client.get("/health/live", headers={"X-Request-ID": offered})
    assert answer.headers["X-Request-ID"] == answer.json()["requestId"]
    assert (answer.json()["requestId"] == offered) is kept


async def test_a_bug_of_ours_shows_its_request_id_and_nothing_else(settings: Settings, fund: TestFund) -> None:
    """The bug here is a house without any of its parts."""
    app = create_app(settings)
    app.state.app_context = object()
    async with api_client_for(app, settings, fund.accounts) as api_client:
        answer = await api_client.get("/redemptions")
    assert refused(answer) == (500, "INTERNAL_ERROR")
    assert "AttributeError" not in answer.text
    assert "object" not in answer.text


@asynccontextmanager
async def half_a_house(settings: Settings, fund: TestFund) -> AsyncIterator[ApiClient]:
    """The API as it is when a part dies after the start: without the start-up's own refusals."""
    app = create_app(settings)
    async with open_app_context(settings, process="test") as app_context:
        app.state.app_context = app_context
        app.state.health_reporter = HealthReporter(app_context)
        async with api_client_for(app, settings, fund.accounts) as api_client:
            yield api_client


@asynccontextmanager
async def black_hole() -> AsyncIterator[int]:
    """A port that accepts and never says a word."""
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
    return settings.model_copy(update={"redis": RedisSettings(url=SecretStr(f"redis://127.0.0.1:{port}/0"))})


async def ask_everything(api_client: ApiClient) -> list[tuple[int, str]]:
    wallet = api_client.accounts.address("vera")
    answers: list[Any] = [
        await api_client.get("/redemptions"),
        await api_client.get("/approvals/TKT-R000001"),
        await api_client.post("/auth/challenge", {"address": wallet}),
    ]
    for answer in answers:
        assert answer.headers["Retry-After"] == "5"
        assert "secret" not in answer.text
        assert "127.0.0.1" not in answer.text
    return [refused(answer) for answer in answers]


async def test_a_database_that_refuses_is_503(settings: Settings, fund: TestFund) -> None:
    async with half_a_house(with_database(settings, NOBODY_LISTENS), fund) as api_client:
        assert set(await ask_everything(api_client)) == {(503, "SERVICE_UNAVAILABLE")}
        assert refused(await api_client.client.get("/health/ready")) == (503, "SERVICE_UNAVAILABLE")
        health = (await api_client.get("/system/health", by=None)).json()["data"]
    assert health["status"] == "down"
    components = {each["name"]: each["status"] for each in health["components"]}
    assert (components["database"], components["redis"], components["listener"]) == ("down", "ok", "down")


async def test_a_database_that_never_answers_is_503(settings: Settings, fund: TestFund) -> None:
    async with black_hole() as port, half_a_house(with_database(settings, port), fund) as api_client, asyncio.timeout(20):
        assert refused(await api_client.get("/redemptions")) == (503, "SERVICE_UNAVAILABLE")


async def test_connections_that_were_cut_are_not_noticed_by_the_next_caller(
    api_client: ApiClient, database: Database, settings: Settings
) -> None:
    async with database.write() as session:
        session.add(request_row(1, owner=parse_address(api_client.accounts.address("ines"))))
    assert (await api_client.get("/redemptions")).status_code == 200
    async with database.write() as session:
        cut = text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'paimon-api'")
        assert (await session.execute(cut)).scalar_one() >= 1
    assert (await api_client.get("/redemptions")).status_code == 200


async def test_without_redis_the_overview_comes_from_the_database_and_readiness_says_no(
    settings: Settings, fund: TestFund, api_client: ApiClient
) -> None:
    async with half_a_house(with_redis(settings, NOBODY_LISTENS), fund) as cut_off:
        overview = await cut_off.get("/fund/overview")
        assert refused(overview) == (503, "SERVICE_UNAVAILABLE")
        assert refused(await cut_off.client.get("/health/ready")) == (503, "SERVICE_UNAVAILABLE")
        assert (await cut_off.get("/redemptions")).status_code == 200
        health = (await cut_off.get("/system/health", by=None)).json()["data"]
    assert health["status"] == "degraded"


async def test_a_redis_that_never_answers_does_not_hold_a_request_for_ever(
    settings: Settings, fund: TestFund, api_client: ApiClient
) -> None:
    async with black_hole() as port, half_a_house(with_redis(settings, port), fund) as cut_off, asyncio.timeout(25):
        assert refused(await cut_off.get("/fund/overview")) == (503, "SERVICE_UNAVAILABLE")


async def test_a_silent_node_is_503_where_the_chain_is_needed(
    settings: Settings, fund: TestFund, api_client: ApiClient, database: Database
) -> None:
    """Only a scheduled settlement asks the chain: its window's date is read when due."""
    chain = settings.chain.model_copy(update={"rpc_url": SecretStr(f"http://127.0.0.1:{NOBODY_LISTENS}"), "attempts_max": 1})
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
    async with half_a_house(settings.model_copy(update={"chain": chain}), fund) as cut_off:
        assert refused(await cut_off.post("/redemptions/1/settle", by="otto")) == (503, "SERVICE_UNAVAILABLE")
        health = (await cut_off.get("/system/health", by=None)).json()["data"]
        components = {each["name"]: each["status"] for each in health["components"]}
        assert (health["status"], components["node"]) == ("degraded", "down")


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("/fund/overview?blok=98", "blok", "there is no such parameter; this endpoint has block"),
        (
            "/redemptions?stauts=PENDING",
            "stauts",
            "there is no such parameter; this endpoint has status, channel, owner, startDate, endDate, page, pageSize, format",
        ),
        ("/redemptions?page=1&status=SETTLED&page=2", "page", "is given 2 times, and may be given once"),
        ("/system/config?verbose", "verbose", "there is no such parameter; this endpoint has none"),
        ("/redemptions/1?block=98", "block", "there is no such parameter; this endpoint has none"),
        ("/health/live?x=1", "x", "there is no such parameter; this endpoint has none"),
    ],
)
async def test_a_query_parameter_that_is_not_there_is_not_passed_over(
    api_client: ApiClient, query: str, field: str, words: str
) -> None:
    answer = await api_client.client.get(f"/api/v1{query}", headers={"Authorization": f"Bearer {api_client.token('willa')}"})
    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"] == [{"field": field, "message": words}]


async def test_every_problem_of_a_query_is_named_at_once(api_client: ApiClient) -> None:
    answer = await api_client.client.post("/api/v1/auth/challenge?a=1&b=2&b=3", json={"address": "0x" + "11" * 20})
    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert [each["field"] for each in answer.json()["error"]["details"]] == ["a", "b"]
