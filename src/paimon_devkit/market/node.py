"""Send JSON-RPC to a local chain over one kept connection: thousands of small requests, one after another."""

import http.client
import json
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import orjson

from paimon_devkit.stack.errors import DemoError

_TIMEOUT_SECONDS: Final = 60.0

Request = tuple[str, list[Any]]


class MarketError(DemoError):
    """The market cannot go on; the message says what to do."""


class ChainUnreachable(MarketError):
    """No node answers at the chain's address."""

    def __init__(self, url: str) -> None:
        super().__init__(f"the chain at {url} does not answer: start the demo with `make demo` first")


class Node:
    """One endpoint, a context manager. Raises ChainUnreachable when it does not answer, MarketError when it refuses."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._url = url
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._connection.close()

    def call(self, method: str, *params: Any) -> Any:
        """Return the result of one request."""
        return _result(method, self._post({"jsonrpc": "2.0", "id": 0, "method": method, "params": params}))

    def batch(self, requests: Iterable[Request]) -> list[Any]:
        """Return the results of several requests, in their order."""
        bodies = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(requests)
        ]
        if not bodies:
            return []
        answers = {answer["id"]: answer for answer in self._post(bodies)}
        return [_result(str(body["method"]), answers[body["id"]]) for body in bodies]

    def _post(self, body: Any) -> Any:
        try:
            self._connection.request("POST", "/", orjson.dumps(body), {"content-type": "application/json"})
            return orjson.loads(self._connection.getresponse().read())
        except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
            self._connection.close()
            raise ChainUnreachable(self._url) from error


def _result(method: str, answer: dict[str, Any]) -> Any:
    if "error" in answer:
        raise MarketError(f"the chain refused {method}: {answer['error'].get('message')}")
    return answer["result"]
