"""An endpoint between the product and a real node: every HTTP request, of one call or a batch, may meet a fault.

The draw depends on the endpoint's own random numbers and on the number of earlier requests, so a seed repeats the faults.
Faults of any exchange are here. Faults of nodes that transactions are sent to are in `faulty_node`, and faults of nodes that
a chain is read from in `chain_faults`.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import orjson
from aiohttp import web
from tests.support.chain.stub_node import json_response, no_answer, replying_with, reset

Call = dict[str, Any]
Answers = list[dict[str, Any]]
Fault = Callable[[Any, web.Request, list[Call]], Awaitable[web.StreamResponse | Answers]]
"""Answer the calls of one request in place of the endpoint."""

Faults = Mapping[str, tuple[int, Fault]]
"""Faults by name, with their weights."""


@dataclass
class FaultyEndpoint:
    """An endpoint before `upstream`. Subclasses define the faults of a request, and the endpoint's view of the chain."""

    upstream: str
    session: aiohttp.ClientSession
    fault_chance: float = 0.0
    rng: random.Random = field(default_factory=random.Random)
    faults_met: list[str] = field(default_factory=list)
    requests: int = 0
    url: str = ""

    def restart_profile(self, seed: str, fault_chance: float) -> None:
        """Set a fault profile and forget the faults met before."""
        self.set_fault_profile(seed, fault_chance)
        self.faults_met.clear()

    def set_fault_profile(self, seed: str, fault_chance: float) -> None:
        """Draw faults from this seed, with this chance per request, from now on."""
        self.rng, self.fault_chance = random.Random(seed), fault_chance

    def faults_of(self, calls: list[Call]) -> Faults:
        raise NotImplementedError

    async def query_node(self, calls: list[Call], *, behind: int = 0) -> Answers:
        """Return the answers of a node that lags `behind` blocks."""
        raise NotImplementedError

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        body = await request.read()
        if self.rng.random() >= self.fault_chance:
            return await self.answer_correctly(body)
        content = orjson.loads(body)
        calls = content if isinstance(content, list) else [content]
        faults = self.faults_of(calls)
        name = self.rng.choices(list(faults), [weight for weight, _ in faults.values()])[0]
        self.faults_met.append(name)
        answer = await faults[name][1](self, request, calls)
        return answer if isinstance(answer, web.StreamResponse) else json_response(_like(content, answer))

    async def answer_correctly(self, body: bytes) -> web.StreamResponse:
        content = orjson.loads(body)
        return json_response(_like(content, await self.query_node(content if isinstance(content, list) else [content])))

    async def post(self, calls: list[Call]) -> Answers:
        """Return the upstream node's answers."""
        async with self.session.post(self.upstream, json=calls) as response:
            answers = {answer["id"]: answer for answer in await response.json(content_type=None)}
        return [answers[sent["id"]] for sent in calls]

    async def head(self) -> int:
        return int((await self.post([call("eth_blockNumber")]))[0]["result"], 16)


def call(method: str, *params: Any) -> Call:
    return {"jsonrpc": "2.0", "id": 0, "method": method, "params": list(params)}


def error_answer(failed: Call, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": failed["id"], "error": {"code": code, "message": message}}


@asynccontextmanager
async def node_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open the session in which endpoints reach the upstream node."""
    async with aiohttp.ClientSession() as session:
        yield session


def _like(content: Any, answers: Answers) -> Any:
    return answers if isinstance(content, list) else answers[0]


# ------------------------------------------------------------------------------------- a node that lags behind its own chain


def call_at_head(original: Call, seen: int, final: int) -> Call:
    """Return the call with its block tags resolved as by a node whose head is `seen`."""
    tags = {"latest": hex(seen), "finalized": hex(final)}
    params = [tags.get(param, param) if isinstance(param, str) else param for param in original["params"]]
    if original["method"] == "eth_estimateGas":
        params.append(tags["latest"])
    return original | {"params": params}


_READS_OF_STATE: Final = frozenset({"eth_call", "eth_getBalance", "eth_getTransactionCount", "eth_estimateGas"})


def _names_block_after(call: Call, seen: int) -> bool:
    block = call["params"][-1]
    return isinstance(block, str) and block.startswith("0x") and int(block, 16) > seen


def hide_newer_blocks(call: Call, answer: dict[str, Any], seen: int) -> dict[str, Any]:
    """Hide what is in blocks after `seen`. A transaction of such a block is shown as pending, and its state is not known."""
    result = answer.get("result")
    if call["method"] in _READS_OF_STATE and _names_block_after(call, seen):
        return error_answer(call, -32000, "header not found")
    if call["method"] == "eth_blockNumber":
        return answer | {"result": hex(seen)}
    if not isinstance(result, dict):
        return answer
    number = result.get("blockNumber") or result.get("number")
    if number is None or int(number, 16) <= seen:
        return answer
    if call["method"] == "eth_getTransactionByHash":
        return answer | {"result": result | {"blockNumber": None, "blockHash": None}}
    return answer | {"result": None}


# ------------------------------------------------------------------------------------------------ faults of any exchange


def failed_exchange(disturb: Callable[[FaultyEndpoint], Any], *, taken: bool) -> Fault:
    """Fail the exchange, before the node received the request or after it processed it."""

    async def fault(node: FaultyEndpoint, request: web.Request, calls: list[Call]) -> web.StreamResponse:
        if taken:
            await node.query_node(calls)
        answer: web.StreamResponse = await disturb(node)(request, [])
        return answer

    return fault


def overloaded(node: FaultyEndpoint) -> Any:
    return replying_with(node.rng.choice((429, 500, 502, 503)))


async def _in_part(node: FaultyEndpoint, _request: web.Request, calls: list[Call]) -> Answers | web.StreamResponse:
    answers = await node.query_node(calls)
    return json_response(answers[:-1])


async def _limited(node: FaultyEndpoint, _request: web.Request, calls: list[Call]) -> web.StreamResponse:
    return json_response({"jsonrpc": "2.0", "id": None, "error": {"code": -32005, "message": "limit exceeded"}})


COMMON_FAULTS: Final[Faults] = {
    "lost before": (3, failed_exchange(lambda _node: reset, taken=False)),
    "lost after": (3, failed_exchange(lambda _node: reset, taken=True)),
    "silent": (1, failed_exchange(lambda _node: no_answer, taken=True)),
    "overloaded": (3, failed_exchange(overloaded, taken=False)),
    "garbled": (1, failed_exchange(lambda _node: replying_with(200, b"<html>"), taken=True)),
    "in part": (1, _in_part),
    "limited": (1, _limited),
}
"""Faults of any request, with their weights."""
