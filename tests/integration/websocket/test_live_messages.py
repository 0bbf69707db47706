"""Live messages over a real server, a real Redis and real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from tests.support.api_client import seed_users
from tests.support.api_server import ApiServer, receive_message, receive_until_close, running_api_server, send_message
from tests.support.chain.fund import TestFund
from websockets.asyncio.client import connect

from paimon.infrastructure.cache.live import publish
from paimon.infrastructure.database.sessions import Database
from paimon.settings import RedisSettings, Settings
from paimon_devkit.stack.embedded_redis import EmbeddedRedis

pytestmark = pytest.mark.integration

EVERYTHING = ["fund:overview", "redemption:new", "redemption:settled", "approval:new", "approval:resolved", "risk:alert"]


@pytest.fixture
async def api_server(
    settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]
) -> AsyncIterator[ApiServer]:
    await seed_users(database, fund.accounts)
    async with running_api_server(settings, fund, eventually) as opened:
        yield opened


async def test_a_signed_in_client_hears_its_channels_and_no_others(api_server: ApiServer) -> None:
    async with api_server.client(channels=["redemption:new", "approval:new"]) as client:
        await api_server.publish("redemption:settled", requestId="1")
        await api_server.publish("redemption:new", requestId="2")
        await api_server.publish("approval:new", ticketId="TKT-R000002")
        first, second = await receive_message(client), await receive_message(client)
    assert first.keys() == {"type", "channel", "data", "timestamp"}
    assert (first["type"], first["channel"], first["data"]) == ("message", "redemption:new", {"requestId": "2"})
    assert first["timestamp"].endswith("Z")
    assert second["channel"] == "approval:new"


async def test_the_protocols_answers(api_server: ApiServer) -> None:
    async with api_server.client(None) as client:
        await send_message(client, type="ping")
        assert await receive_message(client) == {"type": "pong"}
        await send_message(client, type="subscribe", channels=["approval:new"])
        assert (await receive_message(client))["code"] == "AUTH_REQUIRED"
        await send_message(client, type="auth", token=api_server.api_client.token("willa"))
        told = await receive_message(client)
        assert (told["type"], told["address"], told["role"]) == (
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
            answer = await receive_message(client)
            assert (answer["type"], answer["code"]) == ("error", "VALIDATION_ERROR")
        await client.send(b"\x00\x01")
        assert (await receive_message(client))["code"] == "VALIDATION_ERROR"
        await send_message(client, type="ping")
        assert await receive_message(client) == {"type": "pong"}, "a wrong message ends nothing"


@pytest.mark.parametrize(("token", "code"), [("nonsense", "AUTH_INVALID"), ("expired", "AUTH_EXPIRED")])
async def test_a_bad_token_ends_the_connection(api_server: ApiServer, token: str, code: str) -> None:
    text = api_server.api_client.token("willa", ttl_seconds=-5) if token == "expired" else token
    async with connect(api_server.url) as client:
        await send_message(client, type="auth", token=text)
        closed, last = await receive_until_close(client)
    assert (closed, last[-1]["code"]) == (4401, code)


async def test_a_client_that_does_not_sign_in_in_time_is_sent_away(
    settings: Settings, fund: TestFund, database: Database, eventually: Callable[..., Any]
) -> None:
    await seed_users(database, fund.accounts)
    hasty = settings.model_copy(update={"api": settings.api.model_copy(update={"ws_auth_timeout_seconds": 0.2})})
    async with running_api_server(hasty, fund, eventually) as api_server, connect(api_server.url) as client:
        closed, last = await receive_until_close(client)
    assert (closed, last[-1]["code"]) == (4401, "AUTH_REQUIRED")


async def test_the_end_of_the_token_is_the_end_of_the_connection_unless_a_new_one_comes(api_server: ApiServer) -> None:
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


async def test_a_frame_no_message_needs_ends_the_connection(api_server: ApiServer) -> None:
    async with api_server.client() as client:
        await client.send("x" * 5_000)
        assert (await receive_until_close(client))[0] == 1009


async def test_a_client_that_stops_reading_is_dropped_and_the_others_hear_on(
    api_server: ApiServer, eventually: Callable[..., Any]
) -> None:
    """Its kernel buffers take some megabytes, then its queue fills, then it is let go: nobody waits for it."""
    silent = await silent_client(api_server)

    async def both_are_in() -> bool:
        return api_server.hub.client_count == 2

    async with api_server.client(channels=["approval:new"]) as quick:
        await eventually(both_are_in)
        heard = 0
        for number in range(4_000):
            await api_server.publish("approval:new", number=number, padding="x" * 10_000)
            assert (await receive_message(quick))["data"]["number"] == number
            heard += 1
            if api_server.hub.client_count == 1:
                break
        assert api_server.hub.client_count == 1, f"still waiting for the silent one after {heard} messages"
        await api_server.publish("approval:new", number=-1)
        assert (await receive_message(quick))["data"]["number"] == -1
    silent.close()


async def silent_client(api_server: ApiServer) -> asyncio.StreamWriter:
    """A WebSocket client by hand: it signs in, subscribes, and never reads again."""
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


async def test_when_redis_goes_away_clients_stay_and_are_told_to_read_again(
    settings: Settings,
    fund: TestFund,
    database: Database,
    data_folder: Path,
    eventually: Callable[..., Any],
) -> None:
    """A Redis of this test's own, killed and started again on its port."""
    await seed_users(database, fund.accounts)
    folder = data_folder / "redis-of-ws-test"
    folder.mkdir()
    with EmbeddedRedis(folder, append_only=False) as own:
        moved = settings.model_copy(update={"redis": RedisSettings(url=SecretStr(own.url))})
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
                await publish(fresh, "approval:new", {"ticketId": "TKT-R000001"})
            assert (await receive_message(client))["data"] == {"ticketId": "TKT-R000001"}


async def test_leaving_clients_are_forgotten(api_server: ApiServer, eventually: Callable[..., Any]) -> None:
    async with api_server.client(), api_server.client():
        assert api_server.hub.client_count == 2

    async def nobody() -> bool:
        return api_server.hub.client_count == 0

    await eventually(nobody)
