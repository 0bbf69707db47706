"""The API on a real server with real sockets, and WebSocket clients."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from redis.asyncio import Redis
from tests.support.api_client import ApiClient, api_client_for
from tests.support.chain.fund import TestFund
from tests.support.redis import authenticated
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from paimon.gateway.http.server import create_server
from paimon.gateway.rest.app import create_app
from paimon.gateway.websocket.hub import Hub
from paimon.infrastructure.cache.live import publish
from paimon.settings import Settings


@dataclass(frozen=True)
class ApiServer:
    port: int
    app: FastAPI
    api_client: ApiClient
    redis: Redis

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/api/v1/ws"

    @property
    def hub(self) -> Hub:
        hub: Hub = self.app.state.hub
        return hub

    async def publish(self, channel: str, **data: Any) -> None:
        await publish(authenticated(self.redis), channel, data)

    @asynccontextmanager
    async def client(self, name: str | None = "willa", *, channels: list[str] | None = None) -> AsyncIterator[ClientConnection]:
        """Connect, sign in and subscribe."""
        async with connect(self.url) as connection:
            if name is not None:
                await send_message(connection, type="auth", token=self.api_client.token(name))
                assert (await receive_message(connection))["type"] == "authenticated"
            if channels is not None:
                await send_message(connection, type="subscribe", channels=channels)
                assert (await receive_message(connection))["type"] == "subscribed"
            yield connection


async def send_message(connection: ClientConnection, **message: Any) -> None:
    await connection.send(json.dumps(message))


async def receive_message(connection: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(10):
        received: dict[str, Any] = json.loads(await connection.recv())
    return received


async def receive_until_close(connection: ClientConnection) -> tuple[int | None, list[dict[str, Any]]]:
    """Return the close code, and the messages received before it."""
    received: list[dict[str, Any]] = []
    try:
        while True:
            received.append(await receive_message(connection))
    except ConnectionClosed:
        return connection.close_code, received


@asynccontextmanager
async def running_api_server(
    settings: Settings, fund: TestFund, eventually: Callable[..., Any], *, publisher_url: str | None = None
) -> AsyncIterator[ApiServer]:
    """Run a real server on a free port, and wait until it has subscribed to Redis. `publisher_url` is for the test's client."""
    app = create_app(settings)
    listening = socket.create_server(("127.0.0.1", 0))
    server = create_server(app, settings.api)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:

        async def started() -> bool:
            return server.started or running.done()

        await eventually(started)
        async with (
            Redis.from_url(publisher_url or settings.redis.url.get_secret_value()) as redis,
            api_client_for(app, settings, fund.accounts) as api_client,
        ):

            async def subscribed() -> bool:
                return bool(await redis.publish("paimon:live", json.dumps({"channel": "fund:overview", "data": {}})))

            await eventually(subscribed)
            yield ApiServer(listening.getsockname()[1], app, api_client, redis)
    finally:
        server.should_exit = True
        await running
