"""The one way to ask the chain: a pool of endpoints behind `call`, `batch` and `try_batch`.

One endpoint answers a whole batch: the cheapest by latency, load and errors of those that may be asked, serve our chain, and
are known to have come to the height that is needed. What fails is asked of the next one at once, and after all of them again
after a pause with full jitter, within the same bounded tries. What a node's error asks for is one table's word
(domain/node_fault.py): an error that is the caller's own stands, and is asked of nobody else.

A node that has thrown a block's state away says so, or says that it knows no such block, though its head is far beyond: neither
is a lag. An archive is asked then, and where there is none the answer is `StatePruned`, which says what to configure.

A view (`at_height`, `state_at`, `only_endpoint`, `excluding`, `preferred`) is the same pool asked under one more condition.
With a single endpoint nothing is polled and nothing is rested: there is nobody to ask instead.
"""

import asyncio
import copy
import random
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import structlog

from paimon.domain.chain.rpc_error_rules import GET_LOGS, RetryAction, RpcErrorKind
from paimon.infrastructure.blockchain.rpc.endpoint import Answer, Endpoint, EndpointFailure, NodeUrl, Request
from paimon.infrastructure.blockchain.rpc.endpoint_selection import (
    ANY_ENDPOINT,
    EndpointReport,
    EndpointRequirement,
    eligible_endpoints,
    is_ready,
    rank_endpoints,
    report_of,
)
from paimon.infrastructure.blockchain.rpc.errors import (
    BlockNotReached,
    RpcError,
    RpcUnavailable,
    StatePruned,
    unavailable_error,
)
from paimon.infrastructure.blockchain.rpc.interpret_answers import (
    interpret_fault,
    is_missing_block,
    result_for,
    result_or_error,
)

__all__ = ["BlockNotReached", "EndpointReport", "NodeUrl", "Request", "Rpc", "RpcError", "RpcUnavailable", "StatePruned"]

log = structlog.get_logger(__name__)

_BACKOFF_SECONDS = 0.2
_BACKOFF_SECONDS_MAX = 5.0
_PROBE_AFTER_SECONDS = 5.0
"""An endpoint of which nothing was heard for so long is asked for its head."""
_MAINTENANCE_SECONDS = 1.0

_LOG_METHODS: Final = frozenset({GET_LOGS})
_PROBE_METHODS: Final = frozenset({"eth_blockNumber"})


class Rpc:
    """The pool. Use as an async context manager; the HTTP session lives as long as it, views included."""

    def __init__(self, *nodes: str | NodeUrl, timeout_seconds: float, attempts_max: int, chain_id: int | None = None) -> None:
        """A node given as text serves every use. With `chain_id`, nobody is asked before it said that it serves it."""
        self._endpoints = tuple(Endpoint(each if isinstance(each, NodeUrl) else NodeUrl(each)) for each in nodes)
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._attempts_max = attempts_max
        self._chain_id = chain_id
        self._requirement = ANY_ENDPOINT
        self._session: aiohttp.ClientSession | None = None
        self._maintenance: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout)
        for endpoint in self._endpoints:
            endpoint.session = self._session
        if len(self._endpoints) > 1:
            self._maintenance = asyncio.create_task(self._maintain())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._maintenance is not None:
            self._maintenance.cancel()
            await asyncio.wait([self._maintenance])
        if self._session is not None:
            await self._session.close()
        if self._maintenance is not None and not self._maintenance.cancelled():
            self._maintenance.result()  # it ends by nothing else but an error of ours

    @property
    def endpoint(self) -> str:
        """The names (host and port) of whom this view may ask."""
        return ", ".join(each.name for each in self._endpoints if self._requirement.admits(each))

    def endpoints(self) -> list[EndpointReport]:
        """How each endpoint of the pool stands."""
        return [report_of(each, self._chain_id) for each in self._endpoints]

    def at_height(self, number: int) -> Self:
        """Asks only endpoints that are known to have block `number`."""
        return self._view(replace(self._requirement, height=number))

    def state_at(self, number: int) -> Self:
        """As `at_height`, for reads of the state of that block: an old one is asked of an archive first."""
        return self._view(replace(self._requirement, height=number, state=True))

    def only_endpoint(self, name: str) -> Self:
        """Asks this endpoint only. Raises KeyError when the pool has none of this name."""
        if all(each.name != name for each in self._endpoints):
            raise KeyError(f"no endpoint {name}; there are: {', '.join(each.name for each in self._endpoints)}")
        return self._view(replace(self._requirement, only=frozenset({name})))

    def excluding(self, name: str) -> Self | None:
        """Asks only others than this endpoint, for a second opinion; None where there is no other to read from."""
        readers = eligible_endpoints(self._endpoints, ANY_ENDPOINT, frozenset(), self._chain_id)
        others = frozenset(each.name for each in readers) - {name}
        return self._view(replace(self._requirement, only=others)) if others else None

    async def preferred(self) -> Self:
        """Asks only the endpoint that comes first now, so that several questions are answered by one and its name is known.

        Raises:
            RpcUnavailable: none answers, or none has come to the height needed.
        """
        reasons: dict[str, str] = {}
        first = await self._next_endpoint(_PROBE_METHODS, frozenset(), reasons)
        if first is None:
            raise unavailable_error("eth_blockNumber", reasons, attempts=1)
        return self.only_endpoint(first.name)

    def range_blocks(self) -> int:
        """Of how many blocks to ask the logs at once, as the endpoint that comes first now has taught."""
        eligible = eligible_endpoints(self._endpoints, self._requirement, frozenset(), self._chain_id) or self._endpoints
        return rank_endpoints(eligible, self._requirement, _LOG_METHODS, monotonic())[0].health.range_size.blocks

    async def chain_ids(self) -> dict[str, int]:
        """Which chain each endpoint serves, of those that answer now.

        Raises:
            RpcUnavailable: none answers.
        """
        reasons: dict[str, str] = {}
        for attempt in range(1, self._attempts_max + 1):
            answered = await asyncio.gather(*(self._probe(each, reasons, with_chain=True) for each in self._endpoints))
            if any(answered):
                return {each.name: each.chain_id for each in self._endpoints if each.chain_id is not None}
            if attempt < self._attempts_max:
                await asyncio.sleep(_pause_seconds(attempt))
        raise unavailable_error("eth_chainId", reasons, attempts=self._attempts_max)

    async def call(self, method: str, params: list[Any], *, attempts_max: int | None = None) -> Any:
        """The result of one request.

        Raises:
            RpcUnavailable: no usable answer within the bounded tries.
            RpcError: the node answered with an error (StatePruned: nobody has the state it is about).
        """
        (answer,) = await self._exchange([(method, params)], attempts_max=attempts_max)
        return result_for(self._requirement, self._endpoints, method, answer)

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """The results in request order, from one endpoint. The first error answer raises."""
        if not requests:
            return []
        answers = await self._exchange(requests)
        return [
            result_for(self._requirement, self._endpoints, method, answer)
            for (method, _), answer in zip(requests, answers, strict=True)
        ]

    async def try_batch(self, requests: Sequence[Request]) -> list[Any]:
        """As `batch`, but an error answer stands in its place as an RpcError, for reads that may well revert."""
        if not requests:
            return []
        answers = await self._exchange(requests)
        return [
            result_or_error(self._requirement, self._endpoints, method, answer)
            for (method, _), answer in zip(requests, answers, strict=True)
        ]

    def _view(self, requirement: EndpointRequirement) -> Self:
        view = copy.copy(self)
        view._requirement = requirement
        return view

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[Answer]:
        """One endpoint after the other; once nobody is left, all of them again after a pause."""
        attempts_max = attempts_max or self._attempts_max
        methods = frozenset(method for method, _ in requests)
        tried: frozenset[Endpoint] = frozenset()
        reasons: dict[str, str] = {}
        fallback_answers: list[Answer] | None = None  # a node's error, until somebody has a better answer
        failed = False  # whether somebody of this round may do better later
        last: Endpoint | None = None
        for attempt in range(1, attempts_max + 1):
            settled_answers = None if failed else fallback_answers
            endpoint = await self._next_endpoint(methods, tried, reasons, healthy_only=settled_answers is not None)
            if endpoint is None and settled_answers is not None:
                return settled_answers
            if endpoint is None and tried:  # the round is over
                await asyncio.sleep(_pause_seconds(attempt))
                tried, failed = frozenset(), False
                endpoint = await self._next_endpoint(methods, tried, reasons)
            if endpoint is None:
                if attempt < attempts_max:
                    await asyncio.sleep(_pause_seconds(attempt))
                continue
            if last is not None:
                reason, then = reasons[last.name], endpoint.name
                log.warning(
                    "rpc.retried", endpoint=last.name, method=requests[0][0], attempt=attempt - 1, reason=reason, then=then
                )
            tried, last = tried | {endpoint}, endpoint
            try:
                answers, kind, retry_action = await endpoint.exchange(requests)
            except EndpointFailure as error:
                failed, reasons[endpoint.name] = True, str(error)
            else:
                if is_missing_block(self._requirement, requests, answers):
                    kind, retry_action = RpcErrorKind.LAGGING, RetryAction.TRY_ANOTHER_ENDPOINT
                if retry_action in (RetryAction.FAIL, RetryAction.SPLIT_RANGE):
                    return answers
                if (kind := interpret_fault(kind, endpoint, self._requirement)) is RpcErrorKind.LAGGING:
                    endpoint.health = endpoint.health.with_missing_block(self._requirement.height)
                fallback_answers, failed, reasons[endpoint.name] = (
                    answers,
                    failed or retry_action is RetryAction.SLOW_DOWN,
                    kind.value,
                )
        if fallback_answers is not None:
            return fallback_answers
        raise unavailable_error(requests[0][0], reasons, attempts=attempts_max)

    async def _next_endpoint(
        self, methods: frozenset[str], tried: frozenset[Endpoint], reasons: dict[str, str], *, healthy_only: bool = False
    ) -> Endpoint | None:
        """The best of those not asked yet that is known to be able to answer; those of which it is not known are looked at.

        Raises:
            RpcUnavailable: of all that may be asked some answer, and none of these can help (BlockNotReached: of all of them).
        """
        now = monotonic()
        eligible = [
            each
            for each in eligible_endpoints(self._endpoints, self._requirement, methods, self._chain_id)
            if each not in tried
        ]
        if healthy_only:
            eligible = [each for each in eligible if not (each.health.is_circuit_open or each.is_refusing(methods, now))]
        answered = 0
        if eligible and not self._ready(eligible):
            answered = await self._probe_until_ready(eligible, reasons)
        if ready := self._ready(eligible):
            return rank_endpoints(ready, self._requirement, methods, now)[0]
        if not tried and (answered or not eligible):
            details = "; ".join(f"{name}: {reason}" for name, reason in reasons.items()) or f"{self.endpoint} may not be asked"
            at = f" at block {self._requirement.height}" if self._requirement.height else ""
            of_our_chain = eligible_endpoints(eligible, self._requirement, methods, self._chain_id)
            kind = BlockNotReached if eligible and answered == len(of_our_chain) == len(eligible) else RpcUnavailable
            raise kind(f"no node can answer {min(methods)}{at}: {details}")
        return None

    def _ready(self, endpoints: Sequence[Endpoint]) -> list[Endpoint]:
        return [each for each in endpoints if is_ready(each, self._requirement, self._chain_id)]

    async def _probe_until_ready(self, endpoints: Sequence[Endpoint], reasons: dict[str, str]) -> int:
        """Look at all of them together until one is ready; how many answered. Nobody waits for one that is away."""
        probing = {asyncio.create_task(self._probe(each, reasons)) for each in endpoints}
        answered = 0
        try:
            while probing and not self._ready(endpoints):
                done, probing = await asyncio.wait(probing, return_when=asyncio.FIRST_COMPLETED)
                answered += sum(each.result() for each in done)
        finally:
            for each in probing:
                each.cancel()
        return answered

    async def _probe(self, endpoint: Endpoint, reasons: dict[str, str], *, with_chain: bool = False) -> bool:
        """Whether it answered; why it cannot be asked, if so, goes to `reasons`."""
        try:
            await endpoint.probe(with_chain=with_chain or (self._chain_id is not None and endpoint.chain_id is None))
        except EndpointFailure as error:
            reasons[endpoint.name] = str(error)
            return False
        if self._chain_id is not None and endpoint.chain_id != self._chain_id:
            reasons[endpoint.name] = f"serves chain {endpoint.chain_id}, not {self._chain_id}"
            log.error("rpc.wrong_chain", endpoint=endpoint.name, served=endpoint.chain_id, wanted=self._chain_id)
        elif not endpoint.health.has_reached(self._requirement.height):
            reasons[endpoint.name] = f"at block {endpoint.health.head}"
        return True

    async def _maintain(self) -> None:
        """Keep heads fresh, and find out without a caller waiting whether one that rests is back."""
        while True:
            await asyncio.sleep(_MAINTENANCE_SECONDS)
            now = monotonic()
            due = [each for each in self._endpoints if each.health.is_probe_due(now, after_seconds=_PROBE_AFTER_SECONDS)]
            for each in due:
                each.health = each.health.begin_probe()
            await asyncio.gather(*(self._probe(each, {}) for each in due))


def _pause_seconds(attempt: int) -> float:
    return random.uniform(0, min(_BACKOFF_SECONDS_MAX, _BACKOFF_SECONDS * 2**attempt))  # noqa: S311 — jitter
