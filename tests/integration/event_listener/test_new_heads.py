"""The new-heads subscription is made anew when it is open and silent: a head that never comes would cost latency for good."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs
from tests.support.chain.stub_node import rpc_endpoint

from paimon.application.event_listener.ingest.new_heads import NewHeadsSubscription
from paimon.settings import Settings

pytestmark = pytest.mark.integration


async def test_silent_subscription_is_made_anew(eventually: Callable[..., Any], settings: Settings) -> None:
    subscriptions = 0

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response()

    async def listen(request: web.Request) -> web.StreamResponse:
        nonlocal subscriptions
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        subscriptions += 1
        await socket.receive()  # sends nothing until the client has gone
        return socket

    async def is_subscribed_again() -> bool:
        return subscriptions >= 2

    async with rpc_endpoint(answer, listen=listen) as url:
        chain = settings.chain.model_copy(update={"new_heads_silence_seconds": 0.05})
        chain = chain.model_validate(chain.model_dump() | {"ws_url": url.replace("http://", "ws://")})
        with capture_logs() as lines:
            listening = asyncio.create_task(NewHeadsSubscription.from_settings(chain).listen())
            await eventually(is_subscribed_again)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    assert "new_heads.disconnected" in {line["event"] for line in lines}
