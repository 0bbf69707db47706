"""HEAD answers as GET on every endpoint that has GET: status and headers, without a body."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.types import Receive, Scope, Send
from tests.support.api_client import ApiClient, request_row, seed_users
from tests.support.api_server import running_api_server
from tests.support.chain.fund import TestFund

from paimon.domain.kernel.chain import parse_address
from paimon.gateway.rest import list_responses
from paimon.gateway.rest.app import create_app
from paimon.gateway.rest.csv_text import csv_text
from paimon.gateway.rest.request_middleware import RequestMiddleware
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

pytestmark = pytest.mark.integration

OF_ONE_RESPONSE = frozenset({"x-request-id", "date"})
EXAMPLES = {
    "sessionId": "3f0c2f4e9a7b4d0f8f5d1c2b3a495867", "keyId": "3f0c2f4e9a7b4d0f8f5d1c2b3a495867",
    "requestId": "1", "ticketId": "TKT-R000001", "eventId": "1", "messageId": "1", "blockNumber": "1", "logIndex": "0",
    "address": "0x" + "00" * 20, "token": "0x" + "00" * 20, "safeTxHash": "0x" + "00" * 32,
    "planId": "00000000-0000-0000-0000-000000000001", "intentId": "00000000-0000-0000-0000-000000000001",
    "name": "swagger-ui.css", "entryId": "1", "version": "1", "draftId": "1", "kind": "daily", "holder": "0x" + "00" * 20,
    "notificationId": "1", "channel": "operators", "standInId": "1", "emergencyId": "1", "step": "PAUSE_VAULT",
    "rebalanceId": "00000000-0000-0000-0000-000000000001",
}  # fmt: skip


def filled(path: str) -> str:
    """Give each parameter of a path its example; the console takes any path of its own."""
    return path.replace("{path:path}", "redemptions").format_map(EXAMPLES)


def paths_with_get(settings: Settings) -> list[str]:
    """List the paths of every endpoint with GET, their parameters filled in."""
    contexts = iter_route_contexts(create_app(settings).routes)
    endpoints = [(str(context.path), context.original_route) for context in contexts]
    paths = [path for path, route in endpoints if isinstance(route, APIRoute) and "GET" in (route.methods or ())]
    return [filled(path) for path in paths]


async def both(api_client: ApiClient, path: str, **headers: str) -> tuple[httpx.Response, httpx.Response]:
    sent = {"Authorization": f"Bearer {api_client.token('vera')}"} | headers
    return await api_client.client.get(path, headers=sent), await api_client.client.head(path, headers=sent)


def lasting_headers(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in OF_ONE_RESPONSE}


async def test_head_answers_as_get_on_every_path(api_client: ApiClient, settings: Settings) -> None:
    paths = paths_with_get(settings)
    assert {"/health/live", "/health/ready", "/api/v1/system/health", "/api/v1/redemptions/1"} <= set(paths)
    for path in [*paths, "/api/v1/nothing", "/api/v1/auth/verify", "/api/v1/redemptions?stauts=1"]:
        got, head = await both(api_client, path)
        assert head.status_code == got.status_code, path
        assert head.content == b"", path
        lasting, expected = lasting_headers(head), lasting_headers(got)
        if path.endswith("/system/health"):  # measured times differ in length
            del lasting["content-length"], expected["content-length"]
        assert lasting == expected, path


@pytest.mark.parametrize("spec_version", ["2.3", "2.4"])
async def test_head_of_a_file_ends_without_reading_its_rows(
    api_client: ApiClient, database: Database, monkeypatch: pytest.MonkeyPatch, spec_version: str
) -> None:
    """A streamed response notices that its reader has gone by `receive` up to version 2.3 of ASGI, then by `send` alone."""
    served = RequestMiddleware.__call__

    async def call(self: RequestMiddleware, scope: Scope, receive: Receive, send: Send) -> None:
        await served(self, {**scope, "asgi": {"version": "3.0", "spec_version": spec_version}}, receive, send)

    monkeypatch.setattr(RequestMiddleware, "__call__", call)
    monkeypatch.setattr(list_responses, "_CHUNK_ROWS", 1)
    owner = parse_address(api_client.accounts.address("ines"))
    async with database.write() as session:
        session.add_all(request_row(number, owner=owner) for number in range(1, 6))
    pages: list[str] = []

    def counted(lines: Iterable[Sequence[str]]) -> str:
        pages.append(csv_text(lines))
        return pages[-1]

    monkeypatch.setattr(list_responses, "csv_text", counted)
    got, head = await both(api_client, "/api/v1/redemptions", Accept="text/csv")
    assert (head.status_code, head.content) == (got.status_code, b"") == (200, b"")
    assert lasting_headers(head) == lasting_headers(got)
    assert got.text.count("\n") == 6
    assert len(pages) == 5 + 1, "HEAD wrote the first page only"
    assert list_responses._exports_running == 0


async def test_head_leaves_the_servers_connection_usable(
    settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]
) -> None:
    await seed_users(database, fund)
    async with (
        running_api_server(settings, fund, eventually) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", limits=httpx.Limits(max_connections=1)) as client,
    ):
        headers = {"Authorization": f"Bearer {server.api_client.token('vera')}", "Accept": "text/csv"}
        for path in ("/health/live", "/api/v1/redemptions"):
            head = await client.head(path, headers=headers)
            got = await client.get(path, headers=headers)
            assert (head.status_code, head.content, got.status_code) == (200, b"", 200), path
            assert head.headers.get("content-length") == got.headers.get("content-length"), path
