"""A node that forwards a real node's answers, changed as a test specifies."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from tests.support.chain.stub_node import json_response, rpc_endpoint

ResultMutation = Callable[[list[Any], Any], Any]
"""Return another result, from the parameters and the true result."""


@dataclass
class ByzantineNode:
    """The node's URL, and its mutations of results by method."""

    url: str = ""
    mutations: dict[str, ResultMutation] = field(default_factory=dict)


@asynccontextmanager
async def byzantine_node(upstream: str) -> AsyncIterator[ByzantineNode]:
    node = ByzantineNode()
    async with aiohttp.ClientSession() as session:

        async def handle(request: web.Request) -> web.StreamResponse:
            content = orjson.loads(await request.read())
            calls = content if isinstance(content, list) else [content]
            async with session.post(upstream, json=calls) as response:
                answers = {answer["id"]: answer for answer in await response.json(content_type=None)}
            mutated = [_mutated_answer(node, call, answers[call["id"]]) for call in calls]
            return json_response(mutated if isinstance(content, list) else mutated[0])

        async with rpc_endpoint(handle) as node.url:
            yield node


def _mutated_answer(node: ByzantineNode, call: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    mutation = node.mutations.get(call["method"])
    if mutation is None or "result" not in answer:
        return answer
    return answer | {"result": mutation(call["params"], answer["result"])}
