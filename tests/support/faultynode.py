"""A node between a sender and the real chain that loses, delays, refuses and misremembers, as real endpoints do.

Each HTTP request, of one call or a batch, may meet one fault of the table; most pass. What is drawn depends on the node's
own random numbers and on how many requests came before, so a seed gives a sender the same weather again. Behind a balancer
answers come from several nodes: one may take a transaction while another, which has another view, answers for it.

Blocks are final here only FINAL_DEPTH below the head, so that there is something to reorganise.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import orjson
from aiohttp import web
from tests.support.jsonrpc import answering_by, replying, reset, said, silence

FINAL_DEPTH: Final = 6

Call = dict[str, Any]
Answers = list[dict[str, Any]]

_NOT_TAKEN: Final = (
    "nonce too low",
    "nonce too high",
    "already known",
    "replacement transaction underpriced",
    "transaction underpriced",
    "insufficient funds for gas * price + value",
    "txpool is full",
    "intrinsic gas too low",
    "something no table knows",
)
_TAKEN: Final = ("already known", "nonce too low", "replacement transaction underpriced", "something no table knows")


@dataclass
class Finality:
    """The highest block anybody was told is final: it never falls, and nothing at or below it is reorganised."""

    floor: int = 0

    def at(self, head: int) -> int:
        self.floor = max(self.floor, head - FINAL_DEPTH)
        return self.floor


@dataclass
class FaultyNode:
    upstream: str
    finality: Finality
    chance: float = 0.0
    rng: random.Random = field(default_factory=random.Random)
    met: list[str] = field(default_factory=list)
    url: str = ""
    _session: aiohttp.ClientSession | None = None
    _receipts: dict[str, Any] = field(default_factory=dict)

    def become(self, seed: str, chance: float) -> None:
        """New weather, and no memory."""
        self.rng, self.chance = random.Random(seed), chance
        self.met.clear()
        self._receipts.clear()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        content = orjson.loads(await request.read())
        calls = content if isinstance(content, list) else [content]
        faults = SENDING_FAULTS if calls[0]["method"] == "eth_sendRawTransaction" else FAULTS
        if self.rng.random() >= self.chance:
            return said(_like(content, await self.ask(calls)))
        name = self.rng.choices(list(faults), [weight for weight, _ in faults.values()])[0]
        self.met.append(name)
        answer = await faults[name][1](self, request, calls)
        return answer if isinstance(answer, web.StreamResponse) else said(_like(content, answer))

    async def ask(self, calls: list[Call], *, behind: int = 0) -> Answers:
        """The chain's answers as a node sees them that is `behind` by so many blocks."""
        head = int((await self._post([_call("eth_blockNumber")]))[0]["result"], 16)
        seen = head - behind
        final = self.finality.at(head) if not behind else min(self.finality.floor, seen - FINAL_DEPTH)
        answers = await self._post([_as_seen(each, seen, max(final, 0)) for each in calls])
        answers = [_hide(each, answer, seen) for each, answer in zip(calls, answers, strict=True)]
        for each, answer in zip(calls, answers, strict=True):
            if each["method"] == "eth_getTransactionReceipt" and answer.get("result"):
                self._receipts[each["params"][0]] = answer["result"]
        return answers

    async def _post(self, calls: list[Call]) -> Answers:
        assert self._session is not None
        async with self._session.post(self.upstream, json=calls) as response:
            answers = {each["id"]: each for each in await response.json(content_type=None)}
        return [answers[each["id"]] for each in calls]

    def remembered(self, calls: list[Call], answers: Answers) -> Answers:
        """The same, from a node that still follows a fork on which what was mined once is mined."""
        return [
            answer | {"result": self._receipts[each["params"][0]]}
            if each["method"] == "eth_getTransactionReceipt" and each["params"][0] in self._receipts
            else answer
            for each, answer in zip(calls, answers, strict=True)
        ]


@asynccontextmanager
async def faulty_nodes(upstream: str, number: int) -> AsyncIterator[list[FaultyNode]]:
    """So many of them before one chain, agreeing on what is final and on nothing else."""
    finality = Finality()
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        nodes = [FaultyNode(upstream, finality, _session=session) for _ in range(number)]
        for node in nodes:
            node.url = await stack.enter_async_context(answering_by(node.handle))
        yield nodes


def _call(method: str, *params: Any) -> Call:
    return {"jsonrpc": "2.0", "id": 0, "method": method, "params": list(params)}


def _like(content: Any, answers: Answers) -> Any:
    return answers if isinstance(content, list) else answers[0]


def _as_seen(call: Call, seen: int, final: int) -> Call:
    """The call with the tags of a node whose head is `seen`."""
    tags = {"latest": hex(seen), "finalized": hex(final)}
    params = [tags.get(each, each) if isinstance(each, str) else each for each in call["params"]]
    if call["method"] == "eth_estimateGas":
        params.append(tags["latest"])
    return call | {"params": params}


def _hide(call: Call, answer: dict[str, Any], seen: int) -> dict[str, Any]:
    """What is in a block the node does not have yet, it does not know; a transaction of such a block it holds as pending."""
    result = answer.get("result")
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


Fault = Callable[[FaultyNode, web.Request, list[Call]], Awaitable[web.StreamResponse | Answers]]


def _disturbed(disturb: Callable[[FaultyNode], Any], *, taken: bool) -> Fault:
    """The exchange fails, before the node heard of it or after it did all that was asked."""

    async def fault(node: FaultyNode, request: web.Request, calls: list[Call]) -> web.StreamResponse:
        if taken:
            await node.ask(calls)
        answer: web.StreamResponse = await disturb(node)(request, [])
        return answer

    return fault


def _overloaded(node: FaultyNode) -> Any:
    return replying(node.rng.choice((429, 500, 502, 503)))


async def _lagging(node: FaultyNode, _request: web.Request, calls: list[Call]) -> Answers:
    return await node.ask(calls, behind=node.rng.randint(1, FINAL_DEPTH - 2))


def _stale(method: str) -> Fault:
    """One kind of question goes to a node that lags behind the one that answers the others."""

    async def fault(node: FaultyNode, _request: web.Request, calls: list[Call]) -> Answers:
        now, before = await node.ask(calls), await node.ask(calls, behind=node.rng.randint(1, FINAL_DEPTH - 2))
        stale = [each["method"] == method for each in calls]
        return [old if is_stale else new for new, old, is_stale in zip(now, before, stale, strict=True)]

    return fault


async def _other_fork(node: FaultyNode, _request: web.Request, calls: list[Call]) -> Answers:
    return node.remembered(calls, await node.ask(calls))


async def _in_part(node: FaultyNode, _request: web.Request, calls: list[Call]) -> Answers | web.StreamResponse:
    answers = await node.ask(calls)
    return said(answers[:-1])


async def _limited(node: FaultyNode, _request: web.Request, calls: list[Call]) -> web.StreamResponse:
    return said({"jsonrpc": "2.0", "id": None, "error": {"code": -32005, "message": "limit exceeded"}})


def _answered(words: tuple[str, ...], *, taken: bool) -> Fault:
    """A broadcast's answer out of the table, whatever became of the bytes."""

    async def fault(node: FaultyNode, _request: web.Request, calls: list[Call]) -> Answers:
        if taken:
            await node.ask(calls)
        message = node.rng.choice(words)
        node.met[-1] += f": {message}"
        return [{"jsonrpc": "2.0", "id": calls[0]["id"], "error": {"code": -32000, "message": message}}]

    return fault


FAULTS: Final[Mapping[str, tuple[int, Fault]]] = {
    "lost before": (3, _disturbed(lambda _node: reset, taken=False)),
    "lost after": (3, _disturbed(lambda _node: reset, taken=True)),
    "silent": (1, _disturbed(lambda _node: silence, taken=True)),
    "overloaded": (3, _disturbed(_overloaded, taken=False)),
    "garbled": (1, _disturbed(lambda _node: replying(200, b"<html>"), taken=True)),
    "in part": (1, _in_part),
    "limited": (1, _limited),
    "lagging": (6, _lagging),
    "stale counts": (4, _stale("eth_getTransactionCount")),
    "stale receipts": (4, _stale("eth_getTransactionReceipt")),
    "other fork": (4, _other_fork),
}
"""What can happen to any request, and how often beside the others."""

SENDING_FAULTS: Final[Mapping[str, tuple[int, Fault]]] = {
    "lost before": (2, FAULTS["lost before"][1]),
    "lost after": (4, FAULTS["lost after"][1]),
    "silent before": (1, _disturbed(lambda _node: silence, taken=False)),
    "silent after": (1, FAULTS["silent"][1]),
    "overloaded": (1, FAULTS["overloaded"][1]),
    "overloaded after": (1, _disturbed(_overloaded, taken=True)),
    "not taken": (6, _answered(_NOT_TAKEN, taken=False)),
    "taken": (4, _answered(_TAKEN, taken=True)),
}
"""What can happen to a broadcast."""
