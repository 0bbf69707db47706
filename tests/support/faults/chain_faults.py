"""What endpoints get wrong when a chain is read from them: tables of faults for `ChainProxy`.

An endpoint that fails says nothing, too little, or what was so a while ago, all of it together. One that lies says what never
was so. Some lies fit together so well that only a proof of the block's content shows them, or another endpoint.
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
    """`concerns` is the method without which the fault has nothing to spoil."""

    weight: int
    apply: Fault
    method: str | None = None


@dataclass(frozen=True)
class RangeCap:
    """A provider's limit on the blocks of one eth_getLogs, for as long as the weather lasts."""

    blocks_max: int
    code: int
    message: str

    def refuses(self, asked: Call) -> bool:
        return asked["method"] == "eth_getLogs" and _last(asked) - _first(asked) >= self.blocks_max


def _first(asked: Call) -> int:
    return int(asked["params"][0]["fromBlock"], 16)


def _last(asked: Call) -> int:
    return int(asked["params"][0]["toBlock"], 16)


_CAP_MESSAGES: Final = (
    (-32000, "exceed maximum block range: {}"),  # geth-bsc
    (-32602, "Log response size exceeded. You can make eth_getLogs requests with up to a {} block range"),  # Alchemy
    (-32614, "eth_getLogs is limited to a {} range"),  # QuickNode
    (-32600, "block range is too wide"),  # Ankr
    (-32000, "Block range limit exceeded. See more details at https://docs.chainstack.com/docs/limits#evm-range-limits"),
    (-32005, "query returned more than 10000 results"),  # Infura, and many after it
    (-32602, "query exceeds max block range {}"),  # Erigon behind a proxy
    (-32005, "limit exceeded"),  # public dataseeds, for whatever was too much
)


# ------------------------------------------------------------------------------------------------------------- whole views


async def _lagging(node: FaultyEndpoint, _request: web.Request, calls: list[Call]) -> Answers:
    """A node far behind. Of logs it silently gives those it has, or it says that the range goes beyond its head."""
    behind, reports_range = node.rng.randint(1, 60), node.rng.random() < 0.5
    seen = await node.head() - behind
    return [
        error_answer(asked, -32000, "block range extends beyond current head block")
        if reports_range and asked["method"] == "eth_getLogs" and _last(asked) > seen
        else _cut(asked, answer, seen)
        for asked, answer in zip(calls, await node.query_node(calls, behind=behind), strict=True)
    ]


def _cut(asked: Call, answer: dict[str, Any], seen: int) -> dict[str, Any]:
    if asked["method"] != "eth_getLogs" or not isinstance(answer.get("result"), list):
        return answer
    return answer | {"result": [each for each in answer["result"] if int(each["blockNumber"], 16) <= seen]}


def _stale(method: str) -> Fault:
    """One kind of question goes to a node that lags behind the one that answers the others."""

    async def fault(node: FaultyEndpoint, request: web.Request, calls: list[Call]) -> Answers:
        now, before = await node.query_node(calls), await _lagging(node, request, calls)
        return [old if each["method"] == method else new for each, new, old in zip(calls, now, before, strict=True)]

    return fault


async def _range_cap(node: Any, _request: web.Request, calls: list[Call]) -> Answers:
    code, message = node.rng.choice(_CAP_MESSAGES)
    blocks_max = node.rng.choice((1, 2, 5, 20))
    node.cap = RangeCap(blocks_max, code, message.format(blocks_max))
    node.faults_met[-1] += f" of {blocks_max} ({node.cap.message})"
    answers: Answers = await node.query_node(calls)
    return answers


async def _shuffled(node: FaultyEndpoint, _request: web.Request, calls: list[Call]) -> Answers | web.StreamResponse:
    """The answers of a batch may come in any order."""
    answers = await node.query_node(calls)
    if len(answers) == 1:
        return answers
    node.rng.shuffle(answers)
    return answers


# -------------------------------------------------------------------------------------------------- one answer is not so


ResultMutation = Callable[[random.Random, Any], Any]


def _mutated(method: str, mutate: ResultMutation) -> Callable[[FaultyEndpoint, web.Request, list[Call]], Awaitable[Answers]]:
    """One answer to this method, among those that say anything, is another than the node's."""

    async def fault(node: FaultyEndpoint, _request: web.Request, calls: list[Call]) -> Answers:
        answers = await node.query_node(calls)
        places = [place for place, asked in enumerate(calls) if asked["method"] == method and answers[place].get("result")]
        if places:
            place = node.rng.choice(places)
            answers[place] = answers[place] | {"result": mutate(node.rng, answers[place]["result"])}
        return answers

    return fault


def _some_hash(rng: random.Random) -> str:
    return hex0x(rng.randbytes(32))


def _one_log(change: Callable[[random.Random, dict[str, Any]], dict[str, Any]]) -> ResultMutation:
    def mutate(rng: random.Random, logs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        place = rng.randrange(len(logs))
        return [change(rng, each) if at == place else each for at, each in enumerate(logs)]

    return mutate


def _without_one(rng: random.Random, logs: list[Any]) -> list[Any]:
    place = rng.randrange(len(logs))
    return [*logs[:place], *logs[place + 1 :]]


def _unreadable(rng: random.Random, found: dict[str, Any]) -> dict[str, Any]:
    """A field is missing, null, or not what it should be."""
    name = rng.choice([each for each in ("number", "hash", "timestamp", "parentHash", "blockHash", "data") if each in found])
    what = rng.choice(("missing", "null", "nonsense"))
    if what == "missing":
        return {key: value for key, value in found.items() if key != name}
    return found | {name: None if what == "null" else "nonsense"}


def _other_data(rng: random.Random, data: str) -> str:
    return data[:-2] + f"{(int(data[-2:], 16) + rng.randrange(1, 256)) % 256:02x}" if len(data) > 2 else "0x00"


def _without_its_logs(rng: random.Random, receipts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    place = rng.randrange(len(receipts))
    return [each | {"logs": []} if at == place else each for at, each in enumerate(receipts)]


def _following_another(rng: random.Random, header: dict[str, Any]) -> dict[str, Any]:
    changed = header | {"parentHash": _some_hash(rng)}
    return changed | {"hash": hex0x(header_hash(changed))}


async def _another_fork(node: FaultyEndpoint, request: web.Request, calls: list[Call]) -> Answers:
    """One of several headers is that of a block of some other chain. Where a single block is asked for nothing contradicts it:
    that is no fault to be seen through, but a chain that changed, which is for people to judge."""
    if len({each["params"][0] for each in calls if each["method"] == _HEADER}) < 2:
        return await node.query_node(calls)
    return await _mutated(_HEADER, _following_another)(node, request, calls)


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
    "wrong hash": ChainFault(4, _mutated(_HEADER, lambda rng, it: it | {"hash": _some_hash(rng)}), _HEADER),
    "wrong parent": ChainFault(4, _mutated(_HEADER, lambda rng, it: it | {"parentHash": _some_hash(rng)}), _HEADER),
    "header unreadable": ChainFault(3, _mutated(_HEADER, _unreadable), _HEADER),
    "header of another fork": ChainFault(4, _another_fork, _HEADER),
    "log given twice": ChainFault(3, _mutated(_LOGS, lambda rng, logs: [*logs, rng.choice(logs)]), _LOGS),
    "logs in any order": ChainFault(3, _mutated(_LOGS, lambda rng, logs: rng.sample(logs, len(logs))), _LOGS),
    "log of another fork": ChainFault(4, _mutated(_LOGS, _one_log(lambda rng, it: it | {"blockHash": _some_hash(rng)})), _LOGS),
    "log taken back": ChainFault(2, _mutated(_LOGS, _one_log(lambda _rng, it: it | {"removed": True})), _LOGS),
    "log of a stranger": ChainFault(
        3, _mutated(_LOGS, _one_log(lambda rng, it: it | {"address": hex0x(rng.randbytes(20))})), _LOGS
    ),
    "log unreadable": ChainFault(3, _mutated(_LOGS, _one_log(_unreadable)), _LOGS),
    "log left out": ChainFault(6, _mutated(_LOGS, _without_one), _LOGS),
    "logs empty": ChainFault(4, _mutated(_LOGS, lambda _rng, _logs: []), _LOGS),
    "receipt left out": ChainFault(3, _mutated(_RECEIPTS, _without_one), _RECEIPTS),
    "receipt without its logs": ChainFault(3, _mutated(_RECEIPTS, _without_its_logs), _RECEIPTS),
    "log says otherwise": ChainFault(
        3, _mutated(_LOGS, _one_log(lambda rng, it: it | {"data": _other_data(rng, it["data"])})), _LOGS
    ),
}

_PLAUSIBLE: Final = (
    "shuffled",
    "stale logs",
    "log left out",
    "logs empty",
    "log says otherwise",
    "receipt without its logs",
    "header of another fork",
)

_ALL_FAULTS: Final[Mapping[str, ChainFault]] = {**_FAILURES, **_INVALID_RESPONSES}
RPC_FAULTS: Final[Mapping[str, Mapping[str, ChainFault]]] = {
    "failing": _FAILURES,
    "lying": _ALL_FAULTS,
    "lying well": {name: _ALL_FAULTS[name] for name in _PLAUSIBLE},
}
"""By the kind of weather. Whoever lies fails as well, but for one whose every answer reads well: that one is asked first."""


# --------------------------------------------------------------------------------------------------------------- the bell


@dataclass
class NewHeadsSubscription:
    """One subscription as its client sees it."""

    client: web.WebSocketResponse
    delayed: str | None = None
    closed: bool = False

    async def forward(self, message: str) -> None:
        await self.client.send_str(message)
        if self.delayed is not None:
            late, self.delayed = self.delayed, None
            await self.client.send_str(late)

    async def stall(self, _message: str) -> None:
        """The connection stays, and nothing comes over it any more."""
        await asyncio.Event().wait()

    async def close(self, _message: str) -> None:
        self.closed = True

    async def forward_twice(self, message: str) -> None:
        await self.forward(message)
        await self.forward(message)

    async def delay(self, message: str) -> None:
        """It comes after the next one."""
        self.delayed = message

    async def send_garbage(self, _message: str) -> None:
        await self.forward("<html>502</html>")


NEW_HEADS_FAULTS: Final[Mapping[str, Callable[[NewHeadsSubscription, str], Awaitable[None]]]] = {
    "bell stalls": NewHeadsSubscription.stall,
    "bell closes": NewHeadsSubscription.close,
    "bell rings twice": NewHeadsSubscription.forward_twice,
    "bell rings late": NewHeadsSubscription.delay,
    "bell babbles": NewHeadsSubscription.send_garbage,
}
"""What can happen to a block's announcement."""
