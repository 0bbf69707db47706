"""An endpoint that is bad in one way at a time, for the whole stack: KINDS lists the ways, and a test switches between them.

A kind meets only the requests it is about: a refusal of batches only batches. All others are answered rightly, so that the pool
goes on asking. Beside its kind an endpoint may keep every transaction for itself.
"""

import asyncio
import gzip
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Final

import orjson
from aiohttp import web
from tests.support.chain.stub_node import json_response, reset
from tests.support.faults.faulty_endpoint import Answers, Call, Faults
from tests.support.faults.refusing_endpoint import SHAPES, draw_refusal
from tests.support.faults.withholding_endpoint import WithholdingEndpoint

SLOW_SECONDS: Final = 4.0
"""Longer than the stack's request timeout in these tests."""

BadAnswer = Callable[["BadEndpoint", web.Request, list[Call]], Awaitable[web.StreamResponse | Answers | None]]
"""Answer a request badly, or return None for a request that the kind is not about."""


@dataclass
class BadEndpoint(WithholdingEndpoint):
    """An endpoint before the node at `node_url()`, which need not run yet. Without a kind it answers rightly."""

    node_url: Callable[[], str] = str
    delay_seconds: float = 0.0
    kind: str | None = None
    keeps_transactions: bool = False
    first_shape: int = 0
    """The number of the shape in which the first batch is refused."""
    met: Counter[str] = field(default_factory=Counter)
    """How many requests each kind has met."""
    shapes_met: Counter[str] = field(default_factory=Counter)
    """How many batches were refused in each shape."""

    def faults_of(self, calls: list[Call]) -> Faults:
        raise AssertionError("its faults are the kinds")

    async def query_node(self, calls: list[Call], *, behind: int = 0) -> Answers:
        return await (super().query_node(calls) if self.keeps_transactions else self.post(calls))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        self.upstream = self.node_url()
        await asyncio.sleep(self.delay_seconds)
        content = orjson.loads(await request.read())
        calls = content if isinstance(content, list) else [content]
        kind = self.kind
        try:
            answer = None if kind is None else await KINDS[kind](self, request, calls)
        except asyncio.CancelledError:  # the client waited long enough
            self.met[kind or ""] += 1
            raise
        if answer is None:
            answer = await self.query_node(calls)
        elif kind is not None:
            self.met[kind] += 1
        if isinstance(answer, web.StreamResponse):
            return answer
        return json_response(answer if isinstance(content, list) else answer[0])


async def _unknown_errors(endpoint: BadEndpoint, _request: web.Request, calls: list[Call]) -> Answers:
    error = draw_refusal(endpoint.rng).error
    return [{"jsonrpc": "2.0", "id": sent["id"], "error": error} for sent in calls]


async def _batch_refused(endpoint: BadEndpoint, request: web.Request, calls: list[Call]) -> web.StreamResponse | Answers | None:
    """Refuse a batch in one shape after the other: once a process has learnt to send single calls, it sends few batches."""
    if len(calls) == 1:
        return None
    shape = list(SHAPES)[(endpoint.first_shape + endpoint.shapes_met.total()) % len(SHAPES)]
    endpoint.shapes_met[shape] += 1
    return await SHAPES[shape](request, calls, draw_refusal(endpoint.rng))


async def _null_logs(endpoint: BadEndpoint, _request: web.Request, calls: list[Call]) -> Answers | None:
    answers = await endpoint.query_node(calls)
    none = [sent["method"] == "eth_getLogs" and answer.get("result") == [] for sent, answer in zip(calls, answers, strict=True)]
    if not any(none):
        return None
    return [answer | {"result": None} if empty else answer for empty, answer in zip(none, answers, strict=True)]


async def _text_ids(endpoint: BadEndpoint, _request: web.Request, calls: list[Call]) -> Answers:
    return [answer | {"id": str(answer["id"])} for answer in await endpoint.query_node(calls)]


async def _retry_after(endpoint: BadEndpoint, _request: web.Request, _calls: list[Call]) -> web.StreamResponse:
    when = endpoint.rng.choice(("1", formatdate(time.time() + 1, usegmt=True)))
    return web.Response(status=endpoint.rng.choice((429, 503)), headers={"Retry-After": when})


async def _cut_gzip(endpoint: BadEndpoint, _request: web.Request, calls: list[Call]) -> web.StreamResponse:
    body = gzip.compress(orjson.dumps(await endpoint.query_node(calls)))
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    return web.Response(body=body[: len(body) // 2], headers=headers)


async def _slow(endpoint: BadEndpoint, _request: web.Request, calls: list[Call]) -> Answers:
    await asyncio.sleep(SLOW_SECONDS)
    return await endpoint.query_node(calls)


async def _reset(_endpoint: BadEndpoint, request: web.Request, _calls: list[Call]) -> web.StreamResponse:
    return await reset(request, [])


KINDS: Final[dict[str, BadAnswer]] = {
    "gives null for no logs": _null_logs,
    "gives ids as text": _text_ids,
    "refuses batches": _batch_refused,
    "answers at once with unknown errors": _unknown_errors,
    "says Retry-After": _retry_after,
    "cuts gzip off": _cut_gzip,
    "is slow": _slow,
    "resets connections": _reset,
}
"""The ways to be bad, the mildest first: an endpoint that failed much is asked seldom."""
