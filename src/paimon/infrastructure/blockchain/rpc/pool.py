"""Requests to the chain: a pool of endpoints behind `call`, `batch` and `try_batch`.

One endpoint answers a whole batch. It is the cheapest, by latency, load and errors, of those that are eligible, serve our
chain, and are known to have reached the required height. A request that fails goes to the next endpoint at once. After all
of them it starts over, after a pause with full jitter, within the same bounded number of tries. One table decides what a
node's error requires (`domain/chain/rpc_error_rules`). An error in the request itself is returned and not retried elsewhere;
an error in words that no rule knows is the node's, and another endpoint is asked. An endpoint that asks for a pause gets it.

A node that pruned a block's state says so, or says that it does not know the block, although its head is far beyond it.
Neither is a lag. An archive endpoint is asked then. Where there is none, the error is `StatePruned`, which says what to
configure.

A view (`at_height`, `state_at`, `only_endpoint`, `excluding`, `preferred`) is the same pool under one more condition.
With a single endpoint, no head is polled and no endpoint is suspended: there is no alternative.
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

from paimon.domain.chain.endpoint_health import EndpointUse
from paimon.domain.chain.rpc_error_rules import GET_LOGS, RetryAction, RpcErrorKind
from paimon.infrastructure.blockchain.rpc.endpoint import Endpoint, EndpointFailure, NodeUrl, Request
from paimon.infrastructure.blockchain.rpc.endpoint_selection import (
    ANY_ENDPOINT,
    WRITE_METHODS,
    EndpointReport,
    EndpointRequirement,
    eligible_endpoints,
    is_ready,
    rank_endpoints,
    report_of,
)
from paimon.infrastructure.blockchain.rpc.errors import (
    BlockNotReached,
    RpcUnavailable,
    unavailable_error,
)
from paimon.infrastructure.blockchain.rpc.interpret_answers import (
    interpret_fault,
    is_missing_block,
    result_for,
    result_or_error,
)
from paimon.infrastructure.blockchain.rpc.read_answers import Answer

log = structlog.get_logger(__name__)

_BACKOFF_SECONDS = 0.2
_BACKOFF_SECONDS_MAX = 5.0
_PROBE_AFTER_SECONDS = 5.0
"""An endpoint that was silent for this long is asked for its head."""
_MAINTENANCE_SECONDS = 1.0

_LOG_METHODS: Final = frozenset({GET_LOGS})
_PROBE_METHODS: Final = frozenset({"eth_blockNumber"})


class Rpc:
    """The pool. Use it as an async context manager: the HTTP session of the pool and its views ends with it."""

    def __init__(self, *nodes: str | NodeUrl, timeout_seconds: float, attempts_max: int, chain_id: int | None = None) -> None:
        """Create the pool. A node given as text serves every use.

        With `chain_id`, an endpoint gets requests only after it has reported this chain id.
        """
        self._endpoints = tuple(Endpoint(node if isinstance(node, NodeUrl) else NodeUrl(node)) for node in nodes)
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
            self._maintenance.result()  # only a defect ends it: raise its error

    @property
    def endpoint(self) -> str:
        """Names (host and port) of the endpoints that this view may ask."""
        return ", ".join(endpoint.name for endpoint in self._endpoints if self._requirement.admits(endpoint))

    def endpoints(self) -> list[EndpointReport]:
        """Report the state of each endpoint of the pool."""
        return [report_of(endpoint, self._chain_id) for endpoint in self._endpoints]

    @property
    def has_one_reader(self) -> bool:
        """Whether a single endpoint of the pool reads, so that no second one can confirm what it answers."""
        return sum(EndpointUse.READ in endpoint.uses for endpoint in self._endpoints) == 1

    def at_height(self, number: int) -> Self:
        """Return a view that asks only endpoints that are known to have block `number`."""
        return self._view(replace(self._requirement, height=number))

    def state_at(self, number: int) -> Self:
        """Return a view for reads of the state of block `number`, which asks archive endpoints first for an old block."""
        return self._view(replace(self._requirement, height=number, state=True))

    def only_endpoint(self, name: str) -> Self:
        """Return a view that asks only this endpoint. Raises KeyError when the pool has no endpoint of this name."""
        names = [endpoint.name for endpoint in self._endpoints]
        if name not in names:
            raise KeyError(f"no endpoint {name}; there are: {', '.join(names)}")
        return self._view(replace(self._requirement, names=frozenset({name})))

    def excluding(self, *names: str) -> Self | None:
        """Return a view that asks every reader but these endpoints; None where there is no other."""
        readers = eligible_endpoints(self._endpoints, ANY_ENDPOINT, frozenset(), self._chain_id)
        others = frozenset(endpoint.name for endpoint in readers) - set(names)
        return self._view(replace(self._requirement, names=others)) if others else None

    def writers(self) -> list[Self]:
        """Return one view for each endpoint that this view may broadcast to."""
        eligible = eligible_endpoints(self._endpoints, self._requirement, WRITE_METHODS, self._chain_id)
        return [self.only_endpoint(endpoint.name) for endpoint in eligible]

    async def preferred(self) -> Self:
        """Return a view of the endpoint that ranks first now: one known endpoint then answers several requests.

        Raises:
            RpcUnavailable: no endpoint answers, or none has reached the required height.
        """
        reasons: dict[str, str] = {}
        first = await self._next_endpoint(_PROBE_METHODS, frozenset(), reasons)
        if first is None:
            raise unavailable_error("eth_blockNumber", reasons, attempts=1)
        return self.only_endpoint(first.name)

    def range_blocks(self) -> int:
        """Return for how many blocks to request logs at once from the endpoint that ranks first now."""
        eligible = eligible_endpoints(self._endpoints, self._requirement, frozenset(), self._chain_id) or self._endpoints
        return rank_endpoints(eligible, self._requirement, _LOG_METHODS, monotonic())[0].health.range_size.blocks

    async def chain_ids(self) -> dict[str, int]:
        """Return the chain id of each endpoint that answers now.

        Raises:
            RpcUnavailable: no endpoint answers.
        """
        reasons: dict[str, str] = {}
        for attempt in range(1, self._attempts_max + 1):
            answered = await asyncio.gather(*(self._probe(node, reasons, with_chain=True) for node in self._endpoints))
            if any(answered):
                return {node.name: node.chain_id for node in self._endpoints if node.chain_id is not None}
            if attempt < self._attempts_max:
                await asyncio.sleep(_pause_seconds(attempt))
        raise unavailable_error("eth_chainId", reasons, attempts=self._attempts_max)

    async def call(self, method: str, params: list[Any], *, attempts_max: int | None = None) -> Any:
        """Return the result of one request.

        Raises:
            RpcUnavailable: no usable answer within the bounded tries.
            RpcError: the node answered with an error (StatePruned: no endpoint has the state).
        """
        (answer,) = await self._exchange([(method, params)], attempts_max=attempts_max)
        return result_for(self._requirement, self._endpoints, method, answer)

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Return the results in request order, from one endpoint. The first error answer raises."""
        if not requests:
            return []
        answers = await self._exchange(requests)
        return [
            result_for(self._requirement, self._endpoints, method, answer)
            for (method, _), answer in zip(requests, answers, strict=True)
        ]

    async def try_batch(self, requests: Sequence[Request]) -> list[Any]:
        """Return the results as `batch` does, with an RpcError in place of each error answer: for reads that may revert."""
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
        """Ask one endpoint after the other; after the last one, start over after a pause."""
        attempts_max = attempts_max or self._attempts_max
        methods = frozenset(method for method, _ in requests)
        tried: frozenset[Endpoint] = frozenset()
        reasons: dict[str, str] = {}
        fallback_answers: list[Answer] | None = None  # an error answer, until an endpoint has a better one
        failed = False  # whether an endpoint of this round may do better later
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
            asked = endpoint.health.pause_seconds(monotonic())
            if asked > _BACKOFF_SECONDS_MAX:
                reasons[endpoint.name] = _pause_reason(asked)
                if self._all_pause():
                    break  # the caller's next round is later
                tried, failed, last = tried | {endpoint}, True, endpoint
                continue
            await asyncio.sleep(asked)
            if last is not None:
                reason, then = reasons[last.name], endpoint.name
                log.warning(
                    "rpc.retried", endpoint=last.name, method=requests[0][0], attempt=attempt - 1, reason=reason, then=then
                )
            tried, last = tried | {endpoint}, endpoint
            try:
                answers, kind, retry_action, _ = await endpoint.exchange(requests)
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
                    failed or retry_action in (RetryAction.SLOW_DOWN, RetryAction.RETRY),
                    kind.value,
                )
        if fallback_answers is not None:
            return fallback_answers
        raise unavailable_error(requests[0][0], reasons, attempts=attempts_max)

    def _all_pause(self) -> bool:
        """Return whether every endpoint of this view asked for a pause that no call waits out."""
        now = monotonic()
        admitted = (endpoint for endpoint in self._endpoints if self._requirement.admits(endpoint))
        return all(endpoint.health.pause_seconds(now) > _BACKOFF_SECONDS_MAX for endpoint in admitted)

    async def _next_endpoint(
        self, methods: frozenset[str], tried: frozenset[Endpoint], reasons: dict[str, str], *, healthy_only: bool = False
    ) -> Endpoint | None:
        """Return the best endpoint that was not tried yet and is ready. Probe the others until one is ready; None if none is.

        Raises:
            RpcUnavailable: some eligible endpoints answer, and none of these is ready.
            BlockNotReached: all eligible endpoints answer, and none has reached the required height.
        """
        now = monotonic()
        eligible = [
            endpoint
            for endpoint in eligible_endpoints(self._endpoints, self._requirement, methods, self._chain_id)
            if endpoint not in tried
        ]
        if healthy_only:
            eligible = [
                endpoint
                for endpoint in eligible
                if not (
                    endpoint.health.is_circuit_open or endpoint.is_refusing(methods, now) or endpoint.health.pause_seconds(now)
                )
            ]
        answered = 0
        if eligible and not self._ready(eligible):
            answered = await self._probe_until_ready(eligible, reasons)
        if ready := self._ready(eligible):
            return rank_endpoints(ready, self._requirement, methods, now)[0]
        if not tried and (answered or not eligible):
            details = "; ".join(f"{name}: {reason}" for name, reason in reasons.items()) or f"{self.endpoint} is not eligible"
            at = f" at block {self._requirement.height}" if self._requirement.height else ""
            of_our_chain = eligible_endpoints(eligible, self._requirement, methods, self._chain_id)
            kind = BlockNotReached if eligible and answered == len(of_our_chain) == len(eligible) else RpcUnavailable
            raise kind(f"no node can answer {min(methods)}{at}: {details}")
        return None

    def _ready(self, endpoints: Sequence[Endpoint]) -> list[Endpoint]:
        return [endpoint for endpoint in endpoints if is_ready(endpoint, self._requirement, self._chain_id)]

    async def _probe_until_ready(self, endpoints: Sequence[Endpoint], reasons: dict[str, str]) -> int:
        """Probe all endpoints concurrently until one is ready. Return how many answered.

        An endpoint that does not answer delays nothing once another is ready.
        """
        probing = {asyncio.create_task(self._probe(endpoint, reasons)) for endpoint in endpoints}
        answered = 0
        try:
            while probing and not self._ready(endpoints):
                done, probing = await asyncio.wait(probing, return_when=asyncio.FIRST_COMPLETED)
                answered += sum(probe.result() for probe in done)
        finally:
            for probe in probing:
                probe.cancel()
        return answered

    async def _probe(self, endpoint: Endpoint, reasons: dict[str, str], *, with_chain: bool = False) -> bool:
        """Read the endpoint's head, and its chain id if unknown. Return whether it answered.

        The reason why it is not ready goes to `reasons`. An endpoint that asked for a pause is left alone.
        """
        if asked := endpoint.health.pause_seconds(monotonic()):
            reasons[endpoint.name] = _pause_reason(asked)
            return False
        try:
            await endpoint.probe(with_chain=with_chain or (self._chain_id is not None and endpoint.chain_id is None))
        except EndpointFailure as error:
            reasons[endpoint.name] = str(error)
            return False
        if self._chain_id is not None and endpoint.chain_id != self._chain_id:
            reasons[endpoint.name] = f"serves chain {endpoint.chain_id}, not {self._chain_id}"
            log.error("rpc.wrong_chain", endpoint=endpoint.name, served=endpoint.chain_id, expected=self._chain_id)
        elif not endpoint.health.has_reached(self._requirement.height):
            reasons[endpoint.name] = f"at block {endpoint.health.head}"
        return True

    async def _maintain(self) -> None:
        """Refresh heads, and probe suspended endpoints, so that no caller has to wait for that."""
        while True:
            await asyncio.sleep(_MAINTENANCE_SECONDS)
            now = monotonic()
            due = [
                endpoint
                for endpoint in self._endpoints
                if endpoint.health.is_probe_due(now, after_seconds=_PROBE_AFTER_SECONDS)
            ]
            for endpoint in due:
                endpoint.health = endpoint.health.begin_probe()
            await asyncio.gather(*(self._probe(endpoint, {}) for endpoint in due))


def _pause_reason(seconds: float) -> str:
    return f"it asks to wait {seconds:.0f} seconds"


def _pause_seconds(attempt: int) -> float:
    return random.uniform(0, min(_BACKOFF_SECONDS_MAX, _BACKOFF_SECONDS * 2**attempt))  # noqa: S311 — jitter
