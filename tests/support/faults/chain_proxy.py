"""A faulty endpoint between the listener and a real chain, over HTTP and WebSocket.

    async with chain_proxies(chain.http_url, chain.ws_url, 2) as (one, other):
        one.restart_profile("any seed", 0.2)
        …  # a listener that reads from `one.url` and subscribes at `one.ws_url`

Its faults are tables: `chain_faults.RPC_FAULTS` for requests, by fault profile, and `chain_faults.NEW_HEADS_FAULTS` for new
heads. With a fault chance of 0 it forwards bytes. While it is down it answers nothing. `before_answer` lets a test act at an
exact point of an exchange: it is called with the calls of every request before the answer, under every profile.
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
from tests.support.faults.chain_faults import NEW_HEADS_FAULTS, RPC_FAULTS, ProxiedSubscription, RangeCap
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
    """Do nothing before an answer."""


@dataclass
class ChainProxy(FaultyEndpoint):
    ws_upstream: str = ""
    cap: RangeCap | None = None
    profile: str = "byzantine"
    is_down: bool = False
    before_answer: Callable[[list[Call]], Awaitable[None]] = _no_hook
    new_heads_rng: random.Random = field(default_factory=random.Random)

    @property
    def ws_url(self) -> str:
        return self.url.replace("http", "ws", 1)

    def set_fault_profile(self, seed: str, fault_chance: float, profile: str = "byzantine") -> None:
        super().set_fault_profile(seed, fault_chance)
        self.new_heads_rng = random.Random(f"{seed}/new heads")
        self.cap, self.profile, self.is_down = None, profile, False

    def go_down(self) -> None:
        """Abort every connection, until the next fault profile is set."""
        self.is_down = True

    def faults_of(self, calls: list[Call]) -> Faults:
        methods = {call["method"] for call in calls}
        return {
            name: (fault.weight, fault.apply)
            for name, fault in RPC_FAULTS[self.profile].items()
            if fault.method is None or fault.method in methods
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.is_down:
            self.requests += 1
            return await reset(request, [])
        content = orjson.loads(await request.read())  # aiohttp caches the body for the next read
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
        answers = await self.post([call_at_head(call, seen, max(seen - FINAL_DEPTH, 0)) for call in calls])
        return self._capped(calls, [hide_newer_blocks(call, answer, seen) for call, answer in zip(calls, answers, strict=True)])

    def _capped(self, calls: list[Call], answers: Answers) -> Answers:
        if self.cap is None:
            return answers
        return [
            error_answer(call, self.cap.code, self.cap.message) if self.cap.rejects(call) else answer
            for call, answer in zip(calls, answers, strict=True)
        ]

    # ------------------------------------------------------------------------------------------------------ new heads

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """Serve one subscription: forward the client's request, then the node's announcements, with faults."""
        client = web.WebSocketResponse()
        await client.prepare(request)
        async with self.session.ws_connect(self.ws_upstream) as node:
            request_message = await client.receive()
            if request_message.type is WSMsgType.TEXT:
                await node.send_str(request_message.data)
                subscription = asyncio.create_task(self._forward_new_heads(node, client))
                closing = asyncio.create_task(client.receive())
                await asyncio.wait((subscription, closing), return_when=asyncio.FIRST_COMPLETED)
                subscription.cancel()
                closing.cancel()
                await asyncio.gather(subscription, closing, return_exceptions=True)
        await client.close()
        return client

    async def _forward_new_heads(self, node: Any, client: web.WebSocketResponse) -> None:
        subscription = ProxiedSubscription(client)
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
    """Start `number` proxies of one chain."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(node_session())
        proxies = [ChainProxy(http_url, session, ws_upstream=ws_url) for _ in range(number)]
        for proxy in proxies:
            proxy.url = await stack.enter_async_context(rpc_endpoint(proxy.handle, listen=proxy.listen))
        yield proxies
