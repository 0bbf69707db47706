"""One RPC endpoint: its exchange over HTTP, and its health as the exchanges show it.

The pool decides which endpoint gets a request, and how often. Two things go wrong:

    EndpointFailure        no readable answer
    an error in an answer  the node's own error; one table tells the kinds apart (`domain/chain/rpc_error_rules`)

Both change the endpoint's health, which is a value (`domain/chain/endpoint_health`).
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from time import monotonic
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import orjson
import structlog

from paimon.domain.chain.endpoint_health import EndpointHealth, EndpointUse
from paimon.domain.chain.rpc_error_rules import GET_LOGS, Diagnosis, RetryAction, RpcErrorKind, diagnose
from paimon.infrastructure.blockchain.rpc.dynamic_semaphore import DynamicSemaphore

log = structlog.get_logger(__name__)

Request = tuple[str, list[Any]]
Answer = dict[str, Any]

_OVERLOADED_HTTP: Final = frozenset({429, 503})
_RETRYABLE_HTTP: Final = frozenset({408, 425, 500, 502, 504}) | _OVERLOADED_HTTP
_BATCH_MAX: Final = 1_000
"""Requests in one HTTP request, until a provider rejects so many. Sources: Ankr 1 000, NodeReal 500."""
_REFUSAL_SECONDS: Final = 600.0
"""How long an endpoint that refused a method ranks behind others for it."""
_SECRET_LENGTH_MIN: Final = 8

ALL_USES: Final = frozenset(EndpointUse)


def endpoint_name(url: str) -> str:
    """Return host and port only: a provider's URL carries its key in path, query or user."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


class EndpointFailure(Exception):
    """The endpoint gave no usable answer. A retry, or another endpoint, may help. The text shows no URL."""

    def __init__(self, reason: str, *, overloaded: bool = False) -> None:
        super().__init__(reason)
        self.overloaded = overloaded


class ExchangeResult(NamedTuple):
    """The answers in request order, and the retry action that the first error among them requires."""

    answers: list[Answer]
    kind: RpcErrorKind = RpcErrorKind.CALLER_ERROR
    retry_action: RetryAction = RetryAction.FAIL


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
        self._batch_max = _BATCH_MAX
        self._refused_at: dict[str, float] = {}

    @property
    def active_requests(self) -> int:
        return self._semaphore.active_requests

    def is_refusing(self, methods: frozenset[str], now: float) -> bool:
        """Return whether the endpoint recently refused one of these methods."""
        return any(now - self._refused_at.get(method, -_REFUSAL_SECONDS) < _REFUSAL_SECONDS for method in methods)

    async def exchange(self, requests: Sequence[Request]) -> ExchangeResult:
        """Return all answers, from this endpoint alone. A batch that is too large for it is sent in pieces.

        Raises:
            EndpointFailure: some requests were not answered.
        """
        answers: list[Answer] = []
        while len(answers) < len(requests):
            chunk = requests[len(answers) : len(answers) + self._batch_max]
            async with self._semaphore:
                found = await self._exchange_timed(chunk)
            if found.retry_action is RetryAction.SPLIT_BATCH and len(chunk) > 1:
                self._batch_max = len(chunk) // 2
                log.info("rpc.batch_size_reduced", endpoint=self.name, requests_max=self._batch_max)
                continue
            if found.retry_action is not RetryAction.FAIL:
                return ExchangeResult(
                    [*answers, *found.answers, *_unsent_answers(requests, answers, found)], found.kind, found.retry_action
                )
            answers += found.answers
        return ExchangeResult(answers)

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
        except (KeyError, TypeError, ValueError):
            raise EndpointFailure(
                f"it does not report its head or chain: {answers[0].get('error') or answers[-1].get('error')}"
            ) from None

    async def _exchange_timed(self, requests: Sequence[Request]) -> ExchangeResult:
        began = monotonic()
        try:
            answers = await self._post(requests)
        except EndpointFailure as error:
            self._record_failure(requests, overloaded=error.overloaded)
            raise
        except (aiohttp.ClientError, TimeoutError) as error:
            self._record_failure(requests, overloaded=isinstance(error, TimeoutError))
            # Not `from error`: the cause may show the URL, and with it the provider's key.
            raise EndpointFailure(_describe_error(error)) from None
        return self._update_health(requests, answers, monotonic() - began)

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
        method, diagnosis = _first_fault(requests, answers)
        retry_action, requested, now = diagnosis.retry_action, _blocks_requested(requests), monotonic()
        if retry_action is RetryAction.SLOW_DOWN:
            self._record_failure([], overloaded=True)
            return ExchangeResult(answers, diagnosis.kind, retry_action)
        if self.health.is_circuit_open:
            log.info("rpc.endpoint_recovered", endpoint=self.name)
        self.health = self.health.after_response(seconds, now, active_requests=self.active_requests)
        for number in _blocks_returned(requests, answers):
            self.health = self.health.with_known_block(number)
        if retry_action is RetryAction.SPLIT_RANGE:
            if requested <= 1:  # nothing left to split: an endpoint with a wider cap may answer
                return ExchangeResult(answers, diagnosis.kind, RetryAction.TRY_ANOTHER_ENDPOINT)
            self._reduce_range(requested, diagnosis)
        elif requested and retry_action is RetryAction.FAIL:
            self.health = replace(self.health, range_size=self.health.range_size.after_response(requested))
        if diagnosis.kind is RpcErrorKind.RESTRICTED:
            self._refused_at[method] = now
        return ExchangeResult(answers, diagnosis.kind, retry_action)

    def _reduce_range(self, requested: int, diagnosis: Diagnosis) -> None:
        size = self.health.range_size.after_rejection(requested, diagnosis)
        self.health = replace(self.health, range_size=size)
        log.info(
            "rpc.range_size_reduced", endpoint=self.name, requested=requested, blocks=size.blocks, reason=diagnosis.kind.value
        )

    async def _post(self, requests: Sequence[Request]) -> list[Answer]:
        if self.session is None:
            raise RuntimeError("Rpc is used outside its `async with` block")
        bodies = [{"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params} for method, params in requests]
        payload = orjson.dumps(bodies if len(bodies) > 1 else bodies[0])
        headers = {"Content-Type": "application/json"}
        async with self.session.post(self._url, data=payload, headers=headers, allow_redirects=False) as response:
            content = await response.read()
        if response.status in _RETRYABLE_HTTP:
            raise EndpointFailure(f"HTTP {response.status}", overloaded=response.status in _OVERLOADED_HTTP)
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError:
            raise EndpointFailure(f"HTTP {response.status} with a body that is no JSON") from None
        answers = answer if isinstance(answer, list) else [answer]
        if not all(isinstance(entry, dict) for entry in answers):
            raise EndpointFailure(f"HTTP {response.status} with a body that is no JSON-RPC")
        answers = [self._without_secrets(entry) for entry in answers]
        if len(answers) == 1 and (answers[0].get("error") or (isinstance(answer, dict) and len(bodies) == 1)):
            return answers * len(bodies)  # one error may stand for the whole batch
        by_id = {entry["id"]: entry for entry in answers if isinstance(entry.get("id"), int)}
        if any(body["id"] not in by_id for body in bodies):
            raise EndpointFailure("the batch was answered in part")
        return [by_id[body["id"]] for body in bodies]

    def _without_secrets(self, answer: Answer) -> Answer:
        """Remove the URL's secrets from an error, which may repeat the URL: no message of ours may show them."""
        if not answer.get("error"):
            return answer
        text = orjson.dumps(answer)
        for secret in self._secrets:
            text = text.replace(secret, b"...")
        cleaned: Answer = orjson.loads(text)
        return cleaned


def _unsent_answers(requests: Sequence[Request], answers: list[Answer], found: ExchangeResult) -> list[Answer]:
    """Return the first error for every request of a batch that was not sent, because an earlier piece failed."""
    error = next(answer for answer in found.answers if answer.get("error"))
    return [error] * (len(requests) - len(answers) - len(found.answers))


def _first_fault(requests: Sequence[Request], answers: Sequence[Answer]) -> tuple[str, Diagnosis]:
    """Return the first error that a retry action can help with, and its method."""
    for (method, _), answer in zip(requests, answers, strict=True):
        if error := answer.get("error"):
            found = diagnose(method, *_code_and_message(error))
            if found.kind is not RpcErrorKind.CALLER_ERROR:
                return method, found
    return "", Diagnosis(RpcErrorKind.CALLER_ERROR)


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
