"""Tests of live messages with a real server, Redis and sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from tests.support.api_client import seed_users
from tests.support.api_server import ApiServer, receive_message, receive_until_close, running_api_server, send_message
from tests.support.chain.fund import TestFund
from tests.support.redis import authenticated, redis_settings
from websockets.asyncio.client import connect

from paimon.infrastructure.cache.live import publish
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings
from paimon_devkit.stack.embedded_redis import EmbeddedRedis

pytestmark = pytest.mark.integration

EVERYTHING = ["fund:overview", "redemption:new", "redemption:settled", "approval:new", "approval:resolved", "risk:alert"]


@pytest.fixture
async def api_server(
    settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]
) -> AsyncIterator[ApiServer]:
    await seed_users(database, fund)
    async with running_api_server(settings, fund, eventually) as opened:
        yield opened


async def test_client_receives_only_messages_of_its_channels(api_server: ApiServer) -> None:
    async with api_server.client(channels=["redemption:new", "approval:new"]) as client:
        await api_server.publish("redemption:settled", requestId="1")
        await api_server.publish("redemption:new", requestId="2")
        await api_server.publish("approval:new", ticketId="TKT-R000002")
        first, second = await receive_message(client), await receive_message(client)
    assert first.keys() == {"type", "channel", "data", "timestamp"}
    assert (first["type"], first["channel"], first["data"]) == ("message", "redemption:new", {"requestId": "2"})
    assert first["timestamp"].endswith("Z")
    assert second["channel"] == "approval:new"


async def test_server_replies_as_the_protocol_says(api_server: ApiServer) -> None:
    async with api_server.client(None) as client:
        await send_message(client, type="ping")
        assert await receive_message(client) == {"type": "pong"}
        await send_message(client, type="subscribe", channels=["approval:new"])
        assert (await receive_message(client))["code"] == "AUTH_REQUIRED"
        await send_message(client, type="auth", token=api_server.api_client.token("willa"))
        reply = await receive_message(client)
        assert (reply["type"], reply["address"], reply["role"]) == (
            "authenticated",
            api_server.api_client.accounts.address("willa"),
            "viewer",
        )
        await send_message(client, type="subscribe", channels=EVERYTHING)
        assert await receive_message(client) == {"type": "subscribed", "channels": sorted(EVERYTHING)}
        await send_message(client, type="unsubscribe", channels=EVERYTHING[1:])
        assert await receive_message(client) == {"type": "subscribed", "channels": ["fund:overview"]}
        for wrong in ("{", '{"type":"dance"}', '{"type":"subscribe","channels":["everything"]}'):
            await client.send(wrong)
            reply = await receive_message(client)
            assert (reply["type"], reply["code"]) == ("error", "VALIDATION_ERROR")
        await client.send(b"\x00\x01")
        assert (await receive_message(client))["code"] == "VALIDATION_ERROR"
        await send_message(client, type="ping")
        assert await receive_message(client) == {"type": "pong"}, "an invalid message keeps the connection open"


@pytest.mark.parametrize(("token", "code"), [("nonsense", "AUTH_INVALID"), ("expired", "AUTH_EXPIRED")])
async def test_invalid_token_closes_the_connection(api_server: ApiServer, token: str, code: str) -> None:
    text = api_server.api_client.token("willa", ttl_seconds=-5) if token == "expired" else token
    async with connect(api_server.url) as client:
        await send_message(client, type="auth", token=text)
        closed, last = await receive_until_close(client)
    assert (closed, last[-1]["code"]) == (4401, code)


async def test_connection_closes_when_no_token_comes_in_time(
    settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]
) -> None:
    await seed_users(database, fund)
    impatient = settings.model_copy(update={"api": settings.api.model_copy(update={"ws_auth_timeout_seconds": 0.2})})
    async with running_api_server(impatient, fund, eventually) as api_server, connect(api_server.url) as client:
        closed, last = await receive_until_close(client)
    assert (closed, last[-1]["code"]) == (4401, "AUTH_REQUIRED")


async def test_connection_closes_when_its_token_expires_without_a_new_one(api_server: ApiServer) -> None:
    async with connect(api_server.url) as short, connect(api_server.url) as renewed:
        for client in (short, renewed):
            await send_message(client, type="auth", token=api_server.api_client.token("willa", ttl_seconds=2))
            assert (await receive_message(client))["type"] == "authenticated"
        await send_message(renewed, type="auth", token=api_server.api_client.token("willa"))
        assert (await receive_message(renewed))["type"] == "authenticated"
        async with asyncio.timeout(api_server.api_client.settings.api.ws_auth_timeout_seconds / 2):
            closed, last = await receive_until_close(short)
        assert (closed, last[-1]["code"]) == (4401, "AUTH_EXPIRED")
        await send_message(renewed, type="ping")
        assert await receive_message(renewed) == {"type": "pong"}


async def test_too_long_frame_closes_the_connection(api_server: ApiServer) -> None:
    async with api_server.client() as client:
        await client.send("x" * 5_000)
        assert (await receive_until_close(client))[0] == 1009


async def test_slow_client_is_dropped_and_others_keep_receiving(api_server: ApiServer, eventually: Callable[..., Any]) -> None:
    """The kernel buffers take some megabytes, then the client's queue fills, then it is dropped. Publishing never waits."""
    silent = await silent_client(api_server)

    async def both_are_connected() -> bool:
        return api_server.hub.client_count == 2

    async with api_server.client(channels=["approval:new"]) as quick:
        await eventually(both_are_connected)
        received = 0
        for number in range(4_000):
            await api_server.publish("approval:new", number=number, padding="x" * 10_000)
            assert (await receive_message(quick))["data"]["number"] == number
            received += 1
            if api_server.hub.client_count == 1:
                break
        assert api_server.hub.client_count == 1, f"the silent client is still connected after {received} messages"
        await api_server.publish("approval:new", number=-1)
        assert (await receive_message(quick))["data"]["number"] == -1
    silent.close()


async def silent_client(api_server: ApiServer) -> asyncio.StreamWriter:
    """Connect a WebSocket client that signs in, subscribes, and never reads."""
    host, port = api_server.url.removeprefix("ws://").split("/")[0].split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1_024)
    writer.write(
        f"GET /api/v1/ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    for message in (
        {"type": "auth", "token": api_server.api_client.token("otto")},
        {"type": "subscribe", "channels": ["approval:new"]},
    ):
        payload = json.dumps(message).encode()
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0xFE]) + len(payload).to_bytes(2, "big")
        writer.write(b"\x81" + length + bytes(4) + payload)  # a mask of zeros leaves the payload as it is
    return writer


async def test_clients_stay_connected_and_get_resync_after_redis_was_away(
    settings: Settings,
    fund: TestFund,
    database: Database,
    data_folder: Path,
    eventually: Callable[..., Any],
) -> None:
    """The test stops and restarts a Redis of its own on the same port."""
    await seed_users(database, fund)
    folder = data_folder / "redis-of-ws-test"
    folder.mkdir()
    with EmbeddedRedis(folder, append_only=False) as own:
        moved = settings.model_copy(update={"redis": redis_settings(own.url)})
        async with (
            running_api_server(moved, fund, eventually) as api_server,
            api_server.client(channels=["approval:new"]) as client,
        ):
            own.stop()
            await asyncio.sleep(0.3)
            await send_message(client, type="ping")
            assert await receive_message(client) == {"type": "pong"}
            own.start()
            assert await receive_message(client) == {"type": "resync"}
            async with Redis.from_url(own.url) as fresh:
                await publish(authenticated(fresh), "approval:new", {"ticketId": "TKT-R000001"})
            assert (await receive_message(client))["data"] == {"ticketId": "TKT-R000001"}


async def test_hub_forgets_disconnected_clients(api_server: ApiServer, eventually: Callable[..., Any]) -> None:
    async with api_server.client(), api_server.client():
        assert api_server.hub.client_count == 2

    async def hub_is_empty() -> bool:
        return api_server.hub.client_count == 0

    await eventually(hub_is_empty)
