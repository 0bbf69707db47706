"""A faulty node between a sender and the real chain: it loses, delays, refuses and misreports, as real endpoints do.

Behind a load balancer the answers come from several nodes: one node may accept a transaction while another one, with another
view, answers. Blocks are final here only FINAL_DEPTH below the head, so that there is something to reorganise.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from tests.support.chain.stub_node import no_answer, rpc_endpoint
from tests.support.faults.faulty_endpoint import (
    COMMON_FAULTS,
    Answers,
    Call,
    Fault,
    Faults,
    FaultyEndpoint,
    call_at_head,
    error_answer,
    failed_exchange,
    hide_newer_blocks,
    node_session,
    overloaded,
)

FINAL_DEPTH: Final = 6

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
class SharedFinality:
    """The highest block that any node reported final. It never falls, and nothing at or below it is reorganised."""

    final_max: int = 0

    def at(self, head: int) -> int:
        self.final_max = max(self.final_max, head - FINAL_DEPTH)
        return self.final_max


@dataclass
class FaultyNode(FaultyEndpoint):
    finality: SharedFinality = field(default_factory=SharedFinality)
    _receipts: dict[str, Any] = field(default_factory=dict)

    def restart_profile(self, seed: str, fault_chance: float) -> None:
        super().restart_profile(seed, fault_chance)
        self._receipts.clear()

    def faults_of(self, calls: list[Call]) -> Faults:
        return SENDING_FAULTS if calls[0]["method"] == "eth_sendRawTransaction" else QUERY_FAULTS

    async def query_node(self, calls: list[Call], *, behind: int = 0) -> Answers:
        head = await self.head()
        seen = head - behind
        final = self.finality.at(head) if not behind else min(self.finality.final_max, seen - FINAL_DEPTH)
        answers = await self.post([call_at_head(call, seen, max(final, 0)) for call in calls])
        answers = [hide_newer_blocks(call, answer, seen) for call, answer in zip(calls, answers, strict=True)]
        for call, answer in zip(calls, answers, strict=True):
            if call["method"] == "eth_getTransactionReceipt" and answer.get("result"):
                self._receipts[call["params"][0]] = answer["result"]
        return answers

    def answers_from_fork(self, calls: list[Call], answers: Answers) -> Answers:
        """Change the answers to those of a node on a fork where every receipt ever shown is still valid."""
        return [
            answer | {"result": self._receipts[call["params"][0]]}
            if call["method"] == "eth_getTransactionReceipt" and call["params"][0] in self._receipts
            else answer
            for call, answer in zip(calls, answers, strict=True)
        ]


@asynccontextmanager
async def faulty_nodes(upstream: str, number: int) -> AsyncIterator[list[FaultyNode]]:
    """Run this many faulty nodes before one chain. They agree on what is final and on nothing else."""
    finality = SharedFinality()
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(node_session())
        nodes = [FaultyNode(upstream, session, finality=finality) for _ in range(number)]
        for node in nodes:
            node.url = await stack.enter_async_context(rpc_endpoint(node.handle))
        yield nodes


async def _lagging(node: FaultyNode, _request: web.Request, calls: list[Call]) -> Answers:
    return await node.query_node(calls, behind=node.rng.randint(1, FINAL_DEPTH - 2))


def _stale(method: str) -> Fault:
    """Answer one method from a node that lags behind the node of the other methods, but knows every final block.

    After a reorganisation the head is close to the final block, so that a node a few blocks behind would not know it.
    """

    async def fault(node: FaultyNode, _request: web.Request, calls: list[Call]) -> Answers:
        now, lag = await node.query_node(calls), node.rng.randint(1, FINAL_DEPTH - 2)
        before = await node.query_node(calls, behind=min(lag, await node.head() - node.finality.final_max))
        stale = [call["method"] == method for call in calls]
        return [old if is_stale else new for new, old, is_stale in zip(now, before, stale, strict=True)]

    return fault


async def _other_fork(node: FaultyNode, _request: web.Request, calls: list[Call]) -> Answers:
    return node.answers_from_fork(calls, await node.query_node(calls))


def _broadcast_answer(messages: tuple[str, ...], *, taken: bool) -> Fault:
    """Answer a broadcast with a message of the table that need not fit what happened to the bytes."""

    async def fault(node: FaultyNode, _request: web.Request, calls: list[Call]) -> Answers:
        if taken:
            await node.query_node(calls)
        message = node.rng.choice(messages)
        node.faults_met[-1] += f": {message}"
        return [error_answer(calls[0], -32000, message)]

    return fault


QUERY_FAULTS: Final[Faults] = {
    **COMMON_FAULTS,
    "lagging": (6, _lagging),
    "stale counts": (4, _stale("eth_getTransactionCount")),
    "stale receipts": (4, _stale("eth_getTransactionReceipt")),
    "other fork": (4, _other_fork),
}
"""Faults of a query, with their weights."""

SENDING_FAULTS: Final[Faults] = {
    "lost before": (2, COMMON_FAULTS["lost before"][1]),
    "lost after": (4, COMMON_FAULTS["lost after"][1]),
    "silent before": (1, failed_exchange(lambda _node: no_answer, taken=False)),
    "silent after": (1, COMMON_FAULTS["silent"][1]),
    "overloaded": (1, COMMON_FAULTS["overloaded"][1]),
    "overloaded after": (1, failed_exchange(overloaded, taken=True)),
    "not taken": (6, _broadcast_answer(_NOT_TAKEN, taken=False)),
    "taken": (4, _broadcast_answer(_TAKEN, taken=True)),
}
"""Faults of a broadcast, with their weights."""
