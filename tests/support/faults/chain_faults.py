"""Faults of endpoints from which a chain is read: tables for `ChainProxy`.

A failing endpoint returns nothing, too little, or a consistent older state. A byzantine endpoint returns what never was on
the chain. Some of its answers are so consistent that only a proof of the block's content, or another endpoint, shows them.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from tests.support.faults.faulty_endpoint import COMMON_FAULTS, Answers, Call, Fault, FaultyEndpoint, error_answer

from paimon.domain.kernel.chain import hex0x
from paimon.infrastructure.blockchain.proof.headers import header_hash


@dataclass(frozen=True)
class ChainFault:
    """A fault with its weight. With `method`, it applies only to requests that call this method."""

    weight: int
    apply: Fault
    method: str | None = None


@dataclass(frozen=True)
class RangeCap:
    """A provider's limit on the blocks of one eth_getLogs, until the next fault profile."""

    blocks_max: int
    code: int
    message: str

    def rejects(self, call: Call) -> bool:
        return call["method"] == "eth_getLogs" and _last(call) - _first(call) >= self.blocks_max


def _first(call: Call) -> int:
    return int(call["params"][0]["fromBlock"], 16)


def _last(call: Call) -> int:
    return int(call["params"][0]["toBlock"], 16)


_CAP_MESSAGES: Final = (
    (-32000, "exceed maximum block range: {}"),  # geth-bsc
    (-32602, "Log response size exceeded. You can make eth_getLogs requests with up to a {} block range"),  # Alchemy
    (-32614, "eth_getLogs is limited to a {} range"),  # QuickNode
    (-32600, "block range is too wide"),  # Ankr
    (-32000, "Block range limit exceeded. See more details at https://docs.chainstack.com/docs/limits#evm-range-limits"),
    (-32005, "query returned more than 10000 results"),  # Infura, and many after it
    (-32602, "query exceeds max block range {}"),  # Erigon behind a proxy
    (-32005, "limit exceeded"),  # public dataseeds, for every limit
)


# ------------------------------------------------------------------------------------------------------ whole requests


async def _lagging(node: FaultyEndpoint, _request: web.Request, calls: list[Call]) -> Answers:
    """Answer from a node far behind. It silently omits newer logs, or reports that the range goes beyond its head."""
    behind, reports_range = node.rng.randint(1, 60), node.rng.random() < 0.5
    seen = await node.head() - behind
    return [
        error_answer(call, -32000, "block range extends beyond current head block")
        if reports_range and call["method"] == "eth_getLogs" and _last(call) > seen
        else _without_newer_logs(call, answer, seen)
        for call, answer in zip(calls, await node.query_node(calls, behind=behind), strict=True)
    ]


def _without_newer_logs(call: Call, answer: dict[str, Any], seen: int) -> dict[str, Any]:
    if call["method"] != "eth_getLogs" or not isinstance(answer.get("result"), list):
        return answer
    return answer | {"result": [log for log in answer["result"] if int(log["blockNumber"], 16) <= seen]}


def _stale(method: str) -> Fault:
    """Answer one method from a node that lags, and the others from a node that does not."""

    async def fault(node: FaultyEndpoint, request: web.Request, calls: list[Call]) -> Answers:
        now, before = await node.query_node(calls), await _lagging(node, request, calls)
        return [old if call["method"] == method else new for call, new, old in zip(calls, now, before, strict=True)]

    return fault


async def _range_cap(node: Any, _request: web.Request, calls: list[Call]) -> Answers:
    code, message = node.rng.choice(_CAP_MESSAGES)
    blocks_max = node.rng.choice((1, 2, 5, 20))
    node.cap = RangeCap(blocks_max, code, message.format(blocks_max))
    node.faults_met[-1] += f" of {blocks_max} ({node.cap.message})"
    answers: Answers = await node.query_node(calls)
    return answers


async def _shuffled(node: FaultyEndpoint, _request: web.Request, calls: list[Call]) -> Answers | web.StreamResponse:
    """Return the answers of a batch in any order, as the protocol allows."""
    answers = await node.query_node(calls)
    if len(answers) == 1:
        return answers
    node.rng.shuffle(answers)
    return answers


# ---------------------------------------------------------------------------------------------- one answer is changed


ResultMutation = Callable[[random.Random, Any], Any]


def _mutated(method: str, mutate: ResultMutation) -> Callable[[FaultyEndpoint, web.Request, list[Call]], Awaitable[Answers]]:
    """Change one non-empty answer to this method."""

    async def fault(node: FaultyEndpoint, _request: web.Request, calls: list[Call]) -> Answers:
        answers = await node.query_node(calls)
        indexes = [index for index, call in enumerate(calls) if call["method"] == method and answers[index].get("result")]
        if indexes:
            index = node.rng.choice(indexes)
            answers[index] = answers[index] | {"result": mutate(node.rng, answers[index]["result"])}
        return answers

    return fault


def _random_hash(rng: random.Random) -> str:
    return hex0x(rng.randbytes(32))


def _one_log(change: Callable[[random.Random, dict[str, Any]], dict[str, Any]]) -> ResultMutation:
    def mutate(rng: random.Random, logs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        changed = rng.randrange(len(logs))
        return [change(rng, log) if index == changed else log for index, log in enumerate(logs)]

    return mutate


def _without_one(rng: random.Random, logs: list[Any]) -> list[Any]:
    omitted = rng.randrange(len(logs))
    return [*logs[:omitted], *logs[omitted + 1 :]]


def _unreadable(rng: random.Random, found: dict[str, Any]) -> dict[str, Any]:
    """Make one field missing, null, or nonsense."""
    fields = ("number", "hash", "timestamp", "parentHash", "blockHash", "data")
    name = rng.choice([field for field in fields if field in found])
    damage = rng.choice(("missing", "null", "nonsense"))
    if damage == "missing":
        return {key: value for key, value in found.items() if key != name}
    return found | {name: None if damage == "null" else "nonsense"}


def _other_data(rng: random.Random, data: str) -> str:
    return data[:-2] + f"{(int(data[-2:], 16) + rng.randrange(1, 256)) % 256:02x}" if len(data) > 2 else "0x00"


def _without_its_logs(rng: random.Random, receipts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    changed = rng.randrange(len(receipts))
    return [receipt | {"logs": []} if index == changed else receipt for index, receipt in enumerate(receipts)]


def _of_another_parent(rng: random.Random, header: dict[str, Any]) -> dict[str, Any]:
    changed = header | {"parentHash": _random_hash(rng)}
    return changed | {"hash": hex0x(header_hash(changed))}


async def _another_fork(node: FaultyEndpoint, request: web.Request, calls: list[Call]) -> Answers:
    """Replace one of several headers by a header of another chain.

    A request for a single block is left alone: nothing would contradict its answer. That would not be a detectable fault,
    but a changed chain, which an operator must judge.
    """
    if len({call["params"][0] for call in calls if call["method"] == _HEADER}) < 2:
        return await node.query_node(calls)
    return await _mutated(_HEADER, _of_another_parent)(node, request, calls)


_LOGS, _HEADER, _RECEIPTS = "eth_getLogs", "eth_getBlockByNumber", "eth_getBlockReceipts"

_FAILURES: Final[Mapping[str, ChainFault]] = {
    **{name: ChainFault(weight, apply) for name, (weight, apply) in COMMON_FAULTS.items()},
    "lagging": ChainFault(6, _lagging),
    "stale headers": ChainFault(3, _stale(_HEADER), _HEADER),
    "shuffled": ChainFault(2, _shuffled),
    "range cap": ChainFault(2, _range_cap, _LOGS),
    "no header": ChainFault(2, _mutated(_HEADER, lambda _rng, _header: None), _HEADER),
    "no logs at all": ChainFault(1, _mutated(_LOGS, lambda _rng, _logs: None), _LOGS),
    "no receipts": ChainFault(2, _mutated(_RECEIPTS, lambda _rng, _receipts: None), _RECEIPTS),
}
_INVALID_RESPONSES: Final[Mapping[str, ChainFault]] = {
    "stale logs": ChainFault(3, _stale(_LOGS), _LOGS),
    "wrong hash": ChainFault(4, _mutated(_HEADER, lambda rng, header: header | {"hash": _random_hash(rng)}), _HEADER),
    "wrong parent": ChainFault(4, _mutated(_HEADER, lambda rng, header: header | {"parentHash": _random_hash(rng)}), _HEADER),
    "unreadable header": ChainFault(3, _mutated(_HEADER, _unreadable), _HEADER),
    "header of another fork": ChainFault(4, _another_fork, _HEADER),
    "duplicate log": ChainFault(3, _mutated(_LOGS, lambda rng, logs: [*logs, rng.choice(logs)]), _LOGS),
    "unordered logs": ChainFault(3, _mutated(_LOGS, lambda rng, logs: rng.sample(logs, len(logs))), _LOGS),
    "log of another fork": ChainFault(
        4, _mutated(_LOGS, _one_log(lambda rng, log: log | {"blockHash": _random_hash(rng)})), _LOGS
    ),
    "removed log": ChainFault(2, _mutated(_LOGS, _one_log(lambda _rng, log: log | {"removed": True})), _LOGS),
    "log of another contract": ChainFault(
        3, _mutated(_LOGS, _one_log(lambda rng, log: log | {"address": hex0x(rng.randbytes(20))})), _LOGS
    ),
    "unreadable log": ChainFault(3, _mutated(_LOGS, _one_log(_unreadable)), _LOGS),
    "omitted log": ChainFault(6, _mutated(_LOGS, _without_one), _LOGS),
    "no logs": ChainFault(4, _mutated(_LOGS, lambda _rng, _logs: []), _LOGS),
    "omitted receipt": ChainFault(3, _mutated(_RECEIPTS, _without_one), _RECEIPTS),
    "receipt without logs": ChainFault(3, _mutated(_RECEIPTS, _without_its_logs), _RECEIPTS),
    "changed log data": ChainFault(
        3, _mutated(_LOGS, _one_log(lambda rng, log: log | {"data": _other_data(rng, log["data"])})), _LOGS
    ),
}

_PLAUSIBLE: Final = (
    "shuffled",
    "stale logs",
    "omitted log",
    "no logs",
    "changed log data",
    "receipt without logs",
    "header of another fork",
)

_ALL_FAULTS: Final[Mapping[str, ChainFault]] = {**_FAILURES, **_INVALID_RESPONSES}
RPC_FAULTS: Final[Mapping[str, Mapping[str, ChainFault]]] = {
    "failing": _FAILURES,
    "byzantine": _ALL_FAULTS,
    "plausible": {name: _ALL_FAULTS[name] for name in _PLAUSIBLE},
}
"""Faults by fault profile. A byzantine endpoint fails too. A plausible one always answers readably, so it is preferred."""


# ---------------------------------------------------------------------------------------------------------- new heads


@dataclass
class ProxiedSubscription:
    """One `newHeads` subscription between the node and its client."""

    client: web.WebSocketResponse
    delayed: str | None = None
    closed: bool = False

    async def forward(self, message: str) -> None:
        await self.client.send_str(message)
        if self.delayed is not None:
            delayed, self.delayed = self.delayed, None
            await self.client.send_str(delayed)

    async def stall(self, _message: str) -> None:
        """Keep the connection open and send nothing any more."""
        await asyncio.Event().wait()

    async def close(self, _message: str) -> None:
        self.closed = True

    async def forward_twice(self, message: str) -> None:
        await self.forward(message)
        await self.forward(message)

    async def delay(self, message: str) -> None:
        """Send the message after the next one."""
        self.delayed = message

    async def send_garbage(self, _message: str) -> None:
        await self.forward("<html>502</html>")


NEW_HEADS_FAULTS: Final[Mapping[str, Callable[[ProxiedSubscription, str], Awaitable[None]]]] = {
    "new heads stall": ProxiedSubscription.stall,
    "new heads close": ProxiedSubscription.close,
    "new head twice": ProxiedSubscription.forward_twice,
    "new head late": ProxiedSubscription.delay,
    "new heads garbage": ProxiedSubscription.send_garbage,
}
"""Faults of a new head's announcement."""
