"""JSON-RPC over HTTP: one request or a batch, bounded retries with full jitter, and errors told apart.

Raw on purpose: request middlewares of the big libraries cost an order of magnitude on log queries.
"""

import asyncio
import random
from collections.abc import Sequence
from itertools import count
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import orjson
import structlog

log = structlog.get_logger(__name__)

_BACKOFF_SECONDS = 0.2
_BACKOFF_SECONDS_MAX = 5.0
_RETRYABLE_HTTP = frozenset({408, 425, 429, 500, 502, 503, 504})

Request = tuple[str, list[Any]]


class RpcUnavailable(Exception):
    """No usable answer from the node after the bounded retries: refused, reset, timed out or overloaded."""


class RpcError(Exception):
    """The node answered with an error object."""

    def __init__(self, method: str, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{method}: {message} (code {code})")
        self.method = method
        self.code = code
        self.message = message
        self.data = data

    @property
    def revert_data(self) -> bytes | None:
        """The bytes a reverted call returned, where the node gives them."""
        data = self.data.get("data") if isinstance(self.data, dict) else self.data
        try:
            return bytes.fromhex(data[2:]) if isinstance(data, str) and data.startswith("0x") else None
        except ValueError:  # a node's own words, not bytes
            return None

    @property
    def is_revert(self) -> bool:
        return self.code == 3 or "revert" in self.message.lower()


def endpoint_name(url: str) -> str:
    """Host and port only: a provider's URL carries its key in path, query or user."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


class Rpc:
    """One endpoint. Use as an async context manager; the HTTP session lives as long as it."""

    def __init__(self, url: str, *, timeout_seconds: float, attempts_max: int) -> None:
        self.endpoint = endpoint_name(url)
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._attempts_max = attempts_max
        self._ids = count(1)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(self, method: str, params: list[Any], *, attempts_max: int | None = None) -> Any:
        """The result of one request.

        Raises:
            RpcUnavailable: no usable answer within the bounded retries.
            RpcError: the node answered with an error.
        """
        (answer,) = await self._exchange([(method, params)], attempts_max=attempts_max)
        return _result(method, answer)

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """The results in request order, in one HTTP request. The first error answer raises."""
        if not requests:
            return []
        answers = await self._exchange(requests)
        return [_result(method, answer) for (method, _), answer in zip(requests, answers, strict=True)]

    async def try_batch(self, requests: Sequence[Request]) -> list[Any]:
        """As `batch`, but an error answer stands in its place as an RpcError, for reads that may well revert."""
        if not requests:
            return []
        answers = await self._exchange(requests)
        return [_outcome(method, answer) for (method, _), answer in zip(requests, answers, strict=True)]

    async def _exchange(self, requests: Sequence[Request], *, attempts_max: int | None = None) -> list[dict[str, Any]]:
        attempts_max = attempts_max or self._attempts_max
        for attempt in range(1, attempts_max + 1):
            try:
                return await self._post(requests)
            except (aiohttp.ClientError, TimeoutError, _Unusable) as error:
                reason = _words(error)
                if attempt == attempts_max:
                    # Not `from error`: the cause may show the URL, and with it the provider's key.
                    raise RpcUnavailable(
                        f"node {self.endpoint} gave no usable answer to {requests[0][0]} after {attempt} tries: {reason}"
                    ) from None
                pause = random.uniform(0, min(_BACKOFF_SECONDS_MAX, _BACKOFF_SECONDS * 2**attempt))  # noqa: S311 — jitter
                log.warning("rpc.retried", endpoint=self.endpoint, method=requests[0][0], attempt=attempt, reason=reason)
                await asyncio.sleep(pause)
        raise AssertionError("unreachable: the loop returns or raises")

    async def _post(self, requests: Sequence[Request]) -> list[dict[str, Any]]:
        if self._session is None:
            raise RuntimeError("Rpc is used outside its `async with` block")
        bodies = [{"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params} for method, params in requests]
        payload = orjson.dumps(bodies if len(bodies) > 1 else bodies[0])
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self._url, data=payload, headers=headers, allow_redirects=False) as response:
            content = await response.read()
        if response.status in _RETRYABLE_HTTP:
            raise _Unusable(f"HTTP {response.status}")
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError:
            raise _Unusable(f"HTTP {response.status} with a body that is no JSON") from None
        answers = answer if isinstance(answer, list) else [answer]
        if not all(isinstance(each, dict) for each in answers):
            raise _Unusable(f"HTTP {response.status} with a body that is no JSON-RPC")
        if isinstance(answer, dict) and (len(bodies) == 1 or "error" in answer):
            return [answer] * len(bodies)  # one error may stand for the whole batch
        by_id = {each["id"]: each for each in answers if isinstance(each.get("id"), int)}
        if any(body["id"] not in by_id for body in bodies):
            raise _Unusable("the batch was answered in part")
        return [by_id[body["id"]] for body in bodies]


class _Unusable(Exception):
    """The endpoint answered, but not with what was asked; asking again may help."""


def _words(error: Exception) -> str:
    """What went wrong, without the URL that many of aiohttp's messages show: it carries the provider's key."""
    match error:
        case _Unusable():
            return str(error)
        case OSError() if error.strerror:
            return f"{type(error).__name__}: {error.strerror}"
        case _:
            return type(error).__name__


def _outcome(method: str, answer: dict[str, Any]) -> Any:
    try:
        return _result(method, answer)
    except RpcError as error:
        return error


def _result(method: str, answer: dict[str, Any]) -> Any:
    error = answer.get("error")
    if isinstance(error, dict):
        code = error.get("code")
        raise RpcError(method, code if isinstance(code, int) else 0, str(error.get("message") or ""), error.get("data"))
    if error is not None:
        raise RpcError(method, 0, str(error))
    if "result" not in answer:
        raise RpcError(method, 0, "the answer has neither result nor error")
    return answer["result"]
