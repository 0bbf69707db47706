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
from tests.support.chain.stub_node import reset, rpc_endpoint
from tests.support.faults.chain_faults import NEW_HEADS_FAULTS, RPC_FAULTS, NewHeadsSubscription, RangeCap
from tests.support.faults.faulty_endpoint import (
    Answers,
    Call,
    Faults,
    FaultyEndpoint,
    call_at_head,
    error_answer,
    hide_newer_blocks,
    node_session,
)

EPOCH_SLOTS = 16
"""Anvil's blocks are final two epochs below the head: room for reorganisations of 20 blocks and more."""
FINAL_DEPTH = 2 * EPOCH_SLOTS


async def _no_hook(_calls: list[Call]) -> None:
    """What is done before an answer unless a test says otherwise."""


@dataclass
class ChainProxy(FaultyEndpoint):
    ws_upstream: str = ""
    cap: RangeCap | None = None
    profile: str = "lying"
    is_down: bool = False
    before_answer: Callable[[list[Call]], Awaitable[None]] = _no_hook
    new_heads_rng: random.Random = field(default_factory=random.Random)

    @property
    def ws_url(self) -> str:
        return self.url.replace("http", "ws", 1)

    def set_fault_profile(self, seed: str, fault_chance: float, profile: str = "lying") -> None:
        super().set_fault_profile(seed, fault_chance)
        self.new_heads_rng = random.Random(f"{seed}/bell")
        self.cap, self.profile, self.is_down = None, profile, False

    def go_down(self) -> None:
        """Every connection is broken off, until there is other weather."""
        self.is_down = True

    def faults_of(self, calls: list[Call]) -> Faults:
        asked = {each["method"] for each in calls}
        return {
            name: (each.weight, each.apply)
            for name, each in RPC_FAULTS[self.profile].items()
            if each.method is None or each.method in asked
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.is_down:
            self.requests += 1
            return await reset(request, [])
        content = orjson.loads(await request.read())  # aiohttp keeps what was read for whoever reads it again
        await self.before_answer(content if isinstance(content, list) else [content])
        return await super().handle(request)

    async def answer_correctly(self, body: bytes) -> web.StreamResponse:
        if self.cap is not None:
            return await super().answer_correctly(body)
        async with self.session.post(self.upstream, data=body, headers={"content-type": "application/json"}) as response:
            return web.Response(body=await response.read(), content_type="application/json")

    async def query_node(self, calls: list[Call], *, behind: int = 0) -> Answers:
        if not behind:
            return self._capped(calls, await self.post(calls))
        seen = max(await self.head() - behind, 0)
        answers = await self.post([call_at_head(each, seen, max(seen - FINAL_DEPTH, 0)) for each in calls])
        return self._capped(calls, [hide_newer_blocks(each, answer, seen) for each, answer in zip(calls, answers, strict=True)])

    def _capped(self, calls: list[Call], answers: Answers) -> Answers:
        if self.cap is None:
            return answers
        return [
            error_answer(asked, self.cap.code, self.cap.message) if self.cap.refuses(asked) else answer
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
                subscription = asyncio.create_task(self._forward_new_heads(node, client))
                leaving = asyncio.create_task(client.receive())
                await asyncio.wait((subscription, leaving), return_when=asyncio.FIRST_COMPLETED)
                subscription.cancel()
                leaving.cancel()
                await asyncio.gather(subscription, leaving, return_exceptions=True)
        await client.close()
        return client

    async def _forward_new_heads(self, node: Any, client: web.WebSocketResponse) -> None:
        subscription = NewHeadsSubscription(client)
        async for message in node:
            if self.new_heads_rng.random() >= self.fault_chance:
                await subscription.forward(message.data)
                continue
            name = self.new_heads_rng.choice(list(NEW_HEADS_FAULTS))
            self.faults_met.append(name)
            await NEW_HEADS_FAULTS[name](subscription, message.data)
            if subscription.closed:
                return


@asynccontextmanager
async def chain_proxies(http_url: str, ws_url: str, number: int) -> AsyncIterator[list[ChainProxy]]:
    """So many of them before one chain."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(node_session())
        proxies = [ChainProxy(http_url, session, ws_upstream=ws_url) for _ in range(number)]
        for proxy in proxies:
            proxy.url = await stack.enter_async_context(rpc_endpoint(proxy.handle, listen=proxy.listen))
        yield proxies
