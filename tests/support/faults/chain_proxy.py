"""An endpoint between the listener and a real chain, over HTTP and WebSocket, that is seldom quite sound.

    async with chain_proxies(chain.http_url, chain.ws_url, 2) as (one, other):
        one.become("any seed", chance=0.2)
        …  # a listener that asks `one.url` and listens at `one.ws_url`

Its faults are tables: `chainfaults.READING` for requests, by the kind of weather, `chainfaults.RINGING` for what the WebSocket
announces. With a chance of 0 it forwards bytes; one that went away answers nobody. `before` lets a test do something at an
exact place of an exchange: it is called with the calls of every request before the request is answered, on whatever weather.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import WSMsgType, web
from tests.support.chain.stub_node import answering_by, reset
from tests.support.faults.chain_faults import READING, RINGING, Announcing, RangeCap
from tests.support.faults.faulty_endpoint import (
    Answers,
    Call,
    Faults,
    FaultyEndpoint,
    as_seen,
    hide,
    node_session,
    refusal,
)

EPOCH_SLOTS = 16
"""Anvil's blocks are final two epochs below the head: room for reorganisations of 20 blocks and more."""
FINAL_DEPTH = 2 * EPOCH_SLOTS


async def _nothing(_calls: list[Call]) -> None:
    """What is done before an answer unless a test says otherwise."""


@dataclass
class ChainProxy(FaultyEndpoint):
    ws_upstream: str = ""
    cap: RangeCap | None = None
    kind: str = "lying"
    is_away: bool = False
    before: Callable[[list[Call]], Awaitable[None]] = _nothing
    bell_rng: random.Random = field(default_factory=random.Random)

    @property
    def ws_url(self) -> str:
        return self.url.replace("http", "ws", 1)

    def weather(self, seed: str, chance: float, kind: str = "lying") -> None:
        super().weather(seed, chance)
        self.bell_rng = random.Random(f"{seed}/bell")
        self.cap, self.kind, self.is_away = None, kind, False

    def go_away(self) -> None:
        """Every connection is broken off, until there is other weather."""
        self.is_away = True

    def faults_of(self, calls: list[Call]) -> Faults:
        asked = {each["method"] for each in calls}
        return {
            name: (each.weight, each.act)
            for name, each in READING[self.kind].items()
            if each.concerns is None or each.concerns in asked
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.is_away:
            self.requests += 1
            return await reset(request, [])
        content = orjson.loads(await request.read())  # aiohttp keeps what was read for whoever reads it again
        await self.before(content if isinstance(content, list) else [content])
        return await super().handle(request)

    async def honestly(self, body: bytes) -> web.StreamResponse:
        if self.cap is not None:
            return await super().honestly(body)
        async with self.session.post(self.upstream, data=body, headers={"content-type": "application/json"}) as response:
            return web.Response(body=await response.read(), content_type="application/json")

    async def ask(self, calls: list[Call], *, behind: int = 0) -> Answers:
        if not behind:
            return self._capped(calls, await self.post(calls))
        seen = max(await self.head() - behind, 0)
        answers = await self.post([as_seen(each, seen, max(seen - FINAL_DEPTH, 0)) for each in calls])
        return self._capped(calls, [hide(each, answer, seen) for each, answer in zip(calls, answers, strict=True)])

    def _capped(self, calls: list[Call], answers: Answers) -> Answers:
        if self.cap is None:
            return answers
        return [
            refusal(asked, self.cap.code, self.cap.words) if self.cap.refuses(asked) else answer
            for asked, answer in zip(calls, answers, strict=True)
        ]

    # ------------------------------------------------------------------------------------------------------- the bell

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """One subscription: what is asked goes on to the node, what the node announces comes back, or should."""
        client = web.WebSocketResponse()
        await client.prepare(request)
        async with self.session.ws_connect(self.ws_upstream) as node:
            asked = await client.receive()
            if asked.type is WSMsgType.TEXT:
                await node.send_str(asked.data)
                announcing = asyncio.create_task(self._announce(node, client))
                leaving = asyncio.create_task(client.receive())
                await asyncio.wait((announcing, leaving), return_when=asyncio.FIRST_COMPLETED)
                announcing.cancel()
                leaving.cancel()
                await asyncio.gather(announcing, leaving, return_exceptions=True)
        await client.close()
        return client

    async def _announce(self, node: Any, client: web.WebSocketResponse) -> None:
        announcing = Announcing(client)
        async for message in node:
            if self.bell_rng.random() >= self.chance:
                await announcing.pass_on(message.data)
                continue
            name = self.bell_rng.choice(list(RINGING))
            self.met.append(name)
            await RINGING[name](announcing, message.data)
            if announcing.over:
                return


@asynccontextmanager
async def chain_proxies(http_url: str, ws_url: str, number: int) -> AsyncIterator[list[ChainProxy]]:
    """So many of them before one chain."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(node_session())
        proxies = [ChainProxy(http_url, session, ws_upstream=ws_url) for _ in range(number)]
        for proxy in proxies:
            proxy.url = await stack.enter_async_context(answering_by(proxy.handle, listen=proxy.listen))
        yield proxies
