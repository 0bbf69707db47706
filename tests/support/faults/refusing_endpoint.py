"""An endpoint that refuses: everything, or only what is too large for it, in any code, words and shape.

The shapes are those that nodes, gateways and proxies really use. The codes and words are the test's: other ones will come.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson
from aiohttp import web
from tests.support.chain.stub_node import json_response, reset, rpc_endpoint
from tests.support.faults.faulty_endpoint import Answers, Call, Faults, FaultyEndpoint, node_session


class Refusal(NamedTuple):
    """An error as an endpoint says it. `data` may say more."""

    code: int
    message: str
    data: Any = None

    @property
    def error(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message} | ({} if self.data is None else {"data": self.data})


Shape = Callable[[web.Request, list[Call], Refusal], Awaitable[web.StreamResponse | Answers]]


def _in_own_place(calls: list[Call], refusal: Refusal) -> Answers:
    return [{"jsonrpc": "2.0", "id": sent["id"], "error": refusal.error} for sent in calls]


async def _per_call(_request: web.Request, calls: list[Call], refusal: Refusal) -> Answers:
    return _in_own_place(calls, refusal)


async def _one_object(_request: web.Request, _calls: list[Call], refusal: Refusal) -> web.StreamResponse:
    return json_response({"jsonrpc": "2.0", "id": None, "error": refusal.error})


async def _one_object_with_413(_request: web.Request, _calls: list[Call], refusal: Refusal) -> web.StreamResponse:
    return json_response({"jsonrpc": "2.0", "id": None, "error": refusal.error}, status=413)


async def _list_of_one(_request: web.Request, calls: list[Call], refusal: Refusal) -> web.StreamResponse:
    return json_response(_in_own_place(calls, refusal)[:1])


async def _text_as_error(_request: web.Request, calls: list[Call], refusal: Refusal) -> Answers:
    return [{"jsonrpc": "2.0", "id": sent["id"], "error": refusal.message} for sent in calls]


async def _gateway(_request: web.Request, _calls: list[Call], refusal: Refusal) -> web.StreamResponse:
    return json_response({"message": refusal.message, "status": refusal.code})


def _html_with(status: int) -> Shape:
    async def answer(_request: web.Request, _calls: list[Call], refusal: Refusal) -> web.StreamResponse:
        return web.Response(status=status, text=f"<html>{refusal.message}</html>", content_type="text/html")

    return answer


async def _lost(request: web.Request, _calls: list[Call], _refusal: Refusal) -> web.StreamResponse:
    return await reset(request, [])


SHAPES: Final[dict[str, Shape]] = {
    "an error per call": _per_call,
    "one object": _one_object,
    "one object with HTTP 413": _one_object_with_413,
    "a list of one error": _list_of_one,
    "text as error": _text_as_error,
    "a gateway's own object": _gateway,
    **{f"HTTP {status} with HTML": _html_with(status) for status in (200, 400, 413, 502)},
    "a lost connection": _lost,
}


@dataclass
class RefusingEndpoint(FaultyEndpoint):
    """Refuse a request of more than `calls_max` calls."""

    calls_max: int = 0
    refusal: Refusal = field(default_factory=lambda: Refusal(-32000, "no"))
    shape: Shape = _per_call
    refused: int = 0
    largest_answered: int = 0
    delay_seconds: float = 0.0

    def faults_of(self, calls: list[Call]) -> Faults:
        raise AssertionError("it has no fault but its refusal")

    async def query_node(self, calls: list[Call], *, behind: int = 0) -> Answers:
        return await self.post(calls)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        await asyncio.sleep(self.delay_seconds)
        body = await request.read()
        content = orjson.loads(body)
        calls = content if isinstance(content, list) else [content]
        if len(calls) <= self.calls_max:
            self.largest_answered = max(self.largest_answered, len(calls))
            return await self.answer_correctly(body)
        self.refused += 1
        answer = await self.shape(request, calls, self.refusal)
        if isinstance(answer, web.StreamResponse):
            return answer
        return json_response(answer if isinstance(content, list) else answer[0])


def draw_refusal(rng: random.Random) -> Refusal:
    """Draw a code and words that no table knows."""
    letters = "bcdfghjklmnpqrstvwxz "
    words = "".join(rng.choice(letters) for _ in range(rng.randint(0, 60)))
    return Refusal(rng.choice((rng.randint(-40_000, 40_000), -32603, -32000, 0, 19, 500)), words)


@asynccontextmanager
async def refusing_endpoints(upstream: str, *endpoints: dict[str, Any]) -> AsyncIterator[list[RefusingEndpoint]]:
    """Run endpoints before one node, each with these fields."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(node_session())
        opened = [RefusingEndpoint(upstream, session, **fields) for fields in endpoints]
        for endpoint in opened:
            endpoint.url = await stack.enter_async_context(rpc_endpoint(endpoint.handle))
        yield opened
