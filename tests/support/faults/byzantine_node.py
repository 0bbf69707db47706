"""A node that passes a real one's answers on, but for what a test makes of them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from tests.support.chain.stub_node import answering_by, said

Lie = Callable[[list[Any], Any], Any]
"""Makes another result of the parameters and the true result."""


@dataclass
class LyingNode:
    """`lies` by method."""

    url: str = ""
    lies: dict[str, Lie] = field(default_factory=dict)


@asynccontextmanager
async def lying_node(upstream: str) -> AsyncIterator[LyingNode]:
    node = LyingNode()
    async with aiohttp.ClientSession() as session:

        async def handle(request: web.Request) -> web.StreamResponse:
            content = orjson.loads(await request.read())
            calls = content if isinstance(content, list) else [content]
            async with session.post(upstream, json=calls) as response:
                answers = {each["id"]: each for each in await response.json(content_type=None)}
            told = [_told(node, call, answers[call["id"]]) for call in calls]
            return said(told if isinstance(content, list) else told[0])

        async with answering_by(handle) as node.url:
            yield node


def _told(node: LyingNode, call: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    lie = node.lies.get(call["method"])
    return answer if lie is None or "result" not in answer else answer | {"result": lie(call["params"], answer["result"])}
