"""One RPC endpoint: its exchange over HTTP, and its health as the exchanges show it.

The pool decides which endpoint gets a request, and how often. Two things go wrong:

    EndpointFailure        no readable answer
    an error in an answer  the node's own error; one table tells the kinds apart (`domain/chain/rpc_error_rules`)

Both change the endpoint's health, which is a value (`domain/chain/endpoint_health`).
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from time import monotonic
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import orjson
import structlog

from paimon.domain.chain.answer_sizes import answer_bytes_max
from paimon.domain.chain.endpoint_health import BatchSize, EndpointHealth, EndpointUse
from paimon.domain.chain.rpc_error_rules import (
    GET_LOGS,
    Diagnosis,
    RetryAction,
    RpcErrorKind,
    diagnose,
    requests_named,
)
from paimon.infrastructure.blockchain.rpc.dynamic_semaphore import DynamicSemaphore
from paimon.infrastructure.blockchain.rpc.read_answers import (
    Answer,
    UnreadableAnswer,
    data_pause_seconds,
    header_pause_seconds,
    read_answers,
)
from paimon.infrastructure.bodies import BodyTooLarge, load_json, read_body

log = structlog.get_logger(__name__)

Request = tuple[str, list[Any]]

_OVERLOADED_HTTP: Final = frozenset({429, 503})
_RETRYABLE_HTTP: Final = frozenset({408, 425, 500, 502, 504}) | _OVERLOADED_HTTP
_REFUSED_HTTP: Final = frozenset({400, 413, 414, 422})
"""The request itself is refused. For a batch, its size may be the reason."""
_REFUSAL_SECONDS: Final = 600.0
"""How long an endpoint that refused a method ranks behind others for it."""
_SECRET_LENGTH_MIN: Final = 8
_NOT_JSON: Final = object()
_TOO_LARGE_CODE: Final = -32_000

ALL_USES: Final = frozenset(EndpointUse)


def endpoint_name(url: str) -> str:
    """Return host and port only: a provider's URL carries its key in path, query or user."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


class EndpointFailure(Exception):
    """The endpoint gave no usable answer. A retry, or another endpoint, may help. The text shows no URL."""

    def __init__(self, reason: str, *, overloaded: bool = False, is_refusal: bool = False) -> None:
        super().__init__(reason)
        self.overloaded = overloaded
        self.is_refusal = is_refusal
        """The endpoint refused the HTTP request as such."""


class ExchangeResult(NamedTuple):
    """The answers in request order, and the retry action that the first error among them requires."""

    answers: list[Answer]
    kind: RpcErrorKind = RpcErrorKind.CALLER_ERROR
    retry_action: RetryAction = RetryAction.FAIL
    reason: str = ""
    """The text of that error, with its data: it may name the number of requests that the endpoint accepts."""


@dataclass(frozen=True, slots=True)
class NodeUrl:
    """An endpoint's URL and uses. The URL is a secret: it carries the provider's key."""

    url: str
    uses: frozenset[EndpointUse] = ALL_USES

    def __repr__(self) -> str:
        return f"NodeUrl({endpoint_name(self.url)}, {', '.join(sorted(self.uses))})"


class Endpoint:
    """One URL with its health. The pool opens the HTTP session."""

    def __init__(self, node: NodeUrl) -> None:
        self.name = endpoint_name(node.url)
        self.uses = node.uses
        self.health = EndpointHealth()
        self.chain_id: int | None = None
        """The reported chain id; None until it was requested."""
        self.session: aiohttp.ClientSession | None = None
        self._url = node.url
        self._secrets = tuple(_secrets(node.url))
        self._ids = count(1)
        self._semaphore = DynamicSemaphore(lambda: int(self.health.concurrency.limit))
        self._lost_batch = False
        """Whether the last batch got no usable answer. Once may be chance; twice in a row is the size."""
        self._refused_at: dict[str, float] = {}

    @property
    def active_requests(self) -> int:
        return self._semaphore.active_requests

    def is_refusing(self, methods: frozenset[str], now: float) -> bool:
        """Return whether the endpoint recently refused one of these methods."""
        return any(now - self._refused_at.get(method, -_REFUSAL_SECONDS) < _REFUSAL_SECONDS for method in methods)

    async def exchange(self, requests: Sequence[Request]) -> ExchangeResult:
        """Return all answers, from this endpoint alone. A batch that is too large for it is sent in pieces.

        A smaller batch is remembered only when all of it was answered: a node that fails at any size has no batch size.

        Raises:
            EndpointFailure: some requests were not answered.
        """
        answers: list[Answer] = []
        size = first_size = self.health.batch_size
        while len(answers) < len(requests):
            chunk = requests[len(answers) : len(answers) + size.requests]
            async with self._semaphore:
                found = await self._exchange_timed(chunk)
            if found.retry_action is RetryAction.SPLIT_BATCH:
                is_cap = found.kind is RpcErrorKind.BATCH_CAP
                size = size.after_refusal(len(chunk), named=requests_named(found.reason, len(chunk)), is_cap=is_cap)
                continue
            if found.retry_action is not RetryAction.FAIL:
                return ExchangeResult(
                    [*answers, *found.answers, *_unsent_answers(requests, answers, found)], found.kind, found.retry_action
                )
            answers += found.answers
        if size != first_size:
            self._remember(size)
        return ExchangeResult(answers)

    def _remember(self, size: BatchSize) -> None:
        """Keep a size that a refusal led to. Another exchange may have found a smaller one meanwhile."""
        if size.requests < self.health.batch_size.requests:
            self.health = replace(self.health, batch_size=size)
            log.info("rpc.batch_size_reduced", endpoint=self.name, requests_max=size.requests)

    async def probe(self, *, with_chain: bool) -> None:
        """Request the head, and with `with_chain` the chain id.

        Raises:
            EndpointFailure: the endpoint did not answer, or not readably.
        """
        requests: list[Request] = [("eth_blockNumber", []), *([("eth_chainId", [])] if with_chain else [])]
        answers = (await self.exchange(requests)).answers
        try:
            self.health = self.health.with_head(int(answers[0]["result"], 16))
            if with_chain:
                self.chain_id = int(answers[1]["result"], 16)
        except KeyError:
            raise EndpointFailure(
                f"it does not report its head or chain: {answers[0].get('error') or answers[-1].get('error')}"
            ) from None

    async def _exchange_timed(self, requests: Sequence[Request]) -> ExchangeResult:
        began = monotonic()
        try:
            answers = await self._post(requests)
        except EndpointFailure as error:
            was_lost_twice = self._is_lost_again(requests, is_lost=not error.overloaded)
            if was_lost_twice or (error.is_refusal and len(requests) > 1):
                return ExchangeResult([], RpcErrorKind.NODE_FAILURE, RetryAction.SPLIT_BATCH)
            self._record_failure(requests, overloaded=error.overloaded)
            raise
        except (aiohttp.ClientError, TimeoutError) as error:
            if self._is_lost_again(requests, is_lost=_is_connection_lost(error)):
                return ExchangeResult([], RpcErrorKind.NODE_FAILURE, RetryAction.SPLIT_BATCH)
            self._record_failure(requests, overloaded=isinstance(error, TimeoutError))
            # Not `from error`: the cause may show the URL, and with it the provider's key.
            raise EndpointFailure(_describe_error(error)) from None
        self._lost_batch = False
        return self._update_health(requests, answers, monotonic() - began)

    def _is_lost_again(self, requests: Sequence[Request], *, is_lost: bool) -> bool:
        """Return whether this batch and the one before it got no usable answer."""
        was_lost, self._lost_batch = self._lost_batch, is_lost and len(requests) > 1
        return was_lost and self._lost_batch

    def _record_failure(self, requests: Sequence[Request], *, overloaded: bool) -> None:
        before = self.health.breaker.status
        self.health = self.health.after_failure(monotonic(), jitter=random.random(), is_overloaded=overloaded)  # noqa: S311 — jitter
        if overloaded and (requested := _blocks_requested(requests)) > 1:
            self._reduce_range(requested, Diagnosis(RpcErrorKind.LOGS_TIMEOUT))
        if self.health.breaker.status is not before:
            log.warning(
                "rpc.endpoint_suspended",
                endpoint=self.name,
                suspended_seconds=round(self.health.breaker.open_until - monotonic(), 1),
            )

    def _update_health(self, requests: Sequence[Request], answers: list[Answer], seconds: float) -> ExchangeResult:
        """Update the health from these answers. Return them with the retry action that they require."""
        method, diagnosis, reason = _first_fault(requests, answers)
        kind, retry_action, requested = diagnosis.kind, diagnosis.retry_action, _blocks_requested(requests)
        if len(requests) > 1 and _may_be_batch_size(diagnosis, requested):
            return ExchangeResult(answers, kind, RetryAction.SPLIT_BATCH, reason)
        if retry_action is RetryAction.SPLIT_BATCH:  # a single request: an endpoint with a wider cap may answer
            retry_action = RetryAction.TRY_ANOTHER_ENDPOINT
        if retry_action is RetryAction.SPLIT_RANGE and requested <= 1:  # nothing left to split
            retry_action = RetryAction.RETRY if kind is RpcErrorKind.LOGS_REFUSED else RetryAction.TRY_ANOTHER_ENDPOINT
        if kind in _FAILURES or retry_action is RetryAction.SLOW_DOWN:
            self._record_failure([], overloaded=retry_action is RetryAction.SLOW_DOWN)
        else:
            self._record_response(requests, answers, seconds)
        if retry_action is RetryAction.SPLIT_RANGE:
            self._reduce_range(requested, diagnosis)
            if kind is RpcErrorKind.LOGS_REFUSED:  # another endpoint first: this one may just be failing
                retry_action = RetryAction.TRY_ANOTHER_ENDPOINT
        elif retry_action is RetryAction.FAIL:
            size = self.health.batch_size.after_response(len(requests))
            blocks = self.health.range_size.after_response(requested) if requested else self.health.range_size
            self.health = replace(self.health, batch_size=size, range_size=blocks)
        if kind is RpcErrorKind.RESTRICTED:
            self._refused_at[method] = monotonic()
        return ExchangeResult(answers, kind, retry_action, reason)

    def _record_response(self, requests: Sequence[Request], answers: list[Answer], seconds: float) -> None:
        if self.health.is_circuit_open:
            log.info("rpc.endpoint_recovered", endpoint=self.name)
        self.health = self.health.after_response(seconds, monotonic(), active_requests=self.active_requests)
        for number in _blocks_returned(requests, answers):
            self.health = self.health.with_known_block(number)

    def _reduce_range(self, requested: int, diagnosis: Diagnosis) -> None:
        size = self.health.range_size.after_rejection(requested, diagnosis)
        self.health = replace(self.health, range_size=size)
        log.info(
            "rpc.range_size_reduced", endpoint=self.name, requested=requested, blocks=size.blocks, reason=diagnosis.kind.value
        )

    async def _post(self, requests: Sequence[Request]) -> list[Answer]:
        if self.session is None:
            raise RuntimeError("Rpc is used outside its `async with` block")
        ids = [next(self._ids) for _ in requests]
        bodies = [
            {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}
            for id_, (method, params) in zip(ids, requests, strict=True)
        ]
        payload = orjson.dumps(bodies if len(bodies) > 1 else bodies[0])
        headers = {"Content-Type": "application/json"}
        methods = [method for method, _ in requests]
        try:
            async with self.session.post(self._url, data=payload, headers=headers, allow_redirects=False) as response:
                content = await read_body(response, bytes_max=answer_bytes_max(methods))
            body = load_json(content)
        except BodyTooLarge as error:
            if methods == [GET_LOGS]:  # a narrower range may help
                return [_too_large_answer(error)]
            raise EndpointFailure(f"an answer with {error}", is_refusal=True) from None
        except orjson.JSONDecodeError:
            body = _NOT_JSON
        status = response.status
        self._keep_pause(response.headers.get("Retry-After"), body)
        if status in _RETRYABLE_HTTP:
            raise EndpointFailure(f"HTTP {status}", overloaded=status in _OVERLOADED_HTTP)
        is_refusal = status in _REFUSED_HTTP
        if body is _NOT_JSON:
            raise EndpointFailure(f"HTTP {status} with a body that is no JSON", is_refusal=is_refusal)
        try:
            answers = read_answers(body, ids, methods)
        except UnreadableAnswer as error:
            raise EndpointFailure(f"HTTP {status} with {error}", is_refusal=is_refusal) from None
        return [self._without_secrets(answer) for answer in answers]

    def _keep_pause(self, header: str | None, body: Any) -> None:
        """Note for how long the endpoint asks to be left alone."""
        asked = (header_pause_seconds(header, datetime.now(UTC)), data_pause_seconds(body))
        if seconds := max((found for found in asked if found), default=0.0):
            self.health = self.health.with_pause(seconds, monotonic())
            log.info("rpc.pause_requested", endpoint=self.name, seconds=round(seconds, 1))

    def _without_secrets(self, answer: Answer) -> Answer:
        """Remove the URL's secrets from an error, which may repeat the URL: no message of ours may show them."""
        if answer.get("error") is None:
            return answer
        text = orjson.dumps(answer)
        for secret in self._secrets:
            text = text.replace(secret, b"...")
        cleaned: Answer = orjson.loads(text)
        return cleaned


def _too_large_answer(error: BodyTooLarge) -> Answer:
    """Return the error that stands for an answer with too many logs."""
    return {"error": {"code": _TOO_LARGE_CODE, "message": f"an answer with {error}"}}


def _unsent_answers(requests: Sequence[Request], answers: list[Answer], found: ExchangeResult) -> list[Answer]:
    """Return the first error for every request of a batch that was not sent, because an earlier piece failed."""
    error = next(answer for answer in found.answers if answer.get("error") is not None)
    return [error] * (len(requests) - len(answers) - len(found.answers))


_FAILURES: Final = frozenset({RpcErrorKind.NODE_FAILURE, RpcErrorKind.LOGS_REFUSED})
"""Errors that count against the endpoint's health."""


def _may_be_batch_size(diagnosis: Diagnosis, blocks: int) -> bool:
    """Return whether a smaller batch may help. A range of several blocks is halved first."""
    if diagnosis.retry_action is RetryAction.SPLIT_RANGE:
        return blocks <= 1
    return diagnosis.kind in (RpcErrorKind.BATCH_CAP, RpcErrorKind.NODE_FAILURE)


def _is_connection_lost(error: Exception) -> bool:
    """Return whether the connection was made and then lost, as when a proxy drops a body that is too large."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return False
    return isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | aiohttp.ClientPayloadError)


class _Fault(NamedTuple):
    """The first error that a retry action can help with: its method, its kind, and its text with its data."""

    method: str = ""
    diagnosis: Diagnosis = Diagnosis(RpcErrorKind.CALLER_ERROR)
    reason: str = ""


def _first_fault(requests: Sequence[Request], answers: Sequence[Answer]) -> _Fault:
    for (method, _), answer in zip(requests, answers, strict=True):
        if (error := answer.get("error")) is not None:
            code, message = _code_and_message(error)
            found = diagnose(method, code, message)
            if found.kind is not RpcErrorKind.CALLER_ERROR:
                data = error.get("data") if isinstance(error, Mapping) else None
                return _Fault(method, found, message if data is None else f"{message} {data}")
    return _Fault()


def _code_and_message(error: Any) -> tuple[int, str]:
    if not isinstance(error, Mapping):
        return 0, str(error)
    code = error.get("code")
    return code if isinstance(code, int) else 0, str(error.get("message") or "")


def _blocks_requested(requests: Sequence[Request]) -> int:
    """Return the widest range of blocks whose logs are requested; 0 without such a request."""
    return max((_span(params[0]) for method, params in requests if method == GET_LOGS), default=0)


def _span(query: Mapping[str, Any]) -> int:
    try:
        return int(query["toBlock"], 16) - int(query["fromBlock"], 16) + 1
    except (KeyError, ValueError):  # by block hash, or by a tag
        return 0


def _blocks_returned(requests: Sequence[Request], answers: Sequence[Answer]) -> Iterator[int]:
    """Yield the numbers of the blocks that these answers contain."""
    for (method, _), answer in zip(requests, answers, strict=True):
        result = answer.get("result")
        if method.startswith("eth_getBlockBy") and isinstance(result, dict):
            try:
                yield int(result["number"], 16)
            except (KeyError, TypeError, ValueError):
                continue  # not a block: the caller reports it


def _secrets(url: str) -> Iterator[bytes]:
    """Yield the parts of a URL that may be a key: every long part that is not the host."""
    parts = urlsplit(url)
    values = (value for _, value in parse_qsl(parts.query))
    for part in (*parts.path.split("/"), *values, parts.username or "", parts.password or ""):
        if len(part) >= _SECRET_LENGTH_MIN:
            yield part.encode()


def _describe_error(error: Exception) -> str:
    """Describe an error without the URL that many of aiohttp's messages show."""
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    return type(error).__name__
