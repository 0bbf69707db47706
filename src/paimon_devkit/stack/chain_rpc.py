"""The few calls to a local development chain (anvil) that the demo needs, without the product's client."""

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from paimon.infrastructure.blockchain.rpc.endpoint import endpoint_name
from paimon_devkit.stack.errors import DemoError

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class ChainHead:
    """A block's number and timestamp (chain time, Unix seconds)."""

    number: int
    timestamp: int


class ChainRpc:
    """Send JSON-RPC over HTTP, one connection a call. Raises OSError when no node answers, DemoError when it refuses."""

    def __init__(self, http_url: str, *, timeout_seconds: float = 10.0) -> None:
        parts = urlsplit(http_url)
        self.url = http_url
        self.endpoint = endpoint_name(http_url)
        self._connection = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port = parts.hostname or "", parts.port
        self._path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        self._timeout_seconds = timeout_seconds

    def call(self, method: str, *params: object) -> Any:
        """Return the `result` of one call."""
        connection = self._connection(self._host, self._port, timeout=self._timeout_seconds)
        try:
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
            connection.request("POST", self._path, body, {"content-type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method}: the chain closed the connection before its answer ended") from error
        finally:
            connection.close()
        if "error" in answer:
            raise DemoError(f"the chain refused {method}: {answer['error'].get('message')}")
        return answer["result"]

    def head(self, tag: str = "latest") -> ChainHead:
        """Return the block behind `latest` or `finalized`."""
        block = self.call("eth_getBlockByNumber", tag, False)
        return ChainHead(int(block["number"], 16), int(block["timestamp"], 16))

    def warp(self, seconds: int) -> ChainHead:
        """Move chain time forward by at least `seconds`, mine a block and return the head."""
        self.call("evm_increaseTime", seconds)
        self.call("evm_mine")
        return self.head()

    def wait_until_final(self, number: int, *, seconds_max: float = 30.0) -> ChainHead:
        """Wait until block `number` is final and return the final head. Raises DemoError after `seconds_max`."""
        deadline = time.monotonic() + seconds_max
        while (final := self.head("finalized")).number < number:
            if time.monotonic() > deadline:
                raise DemoError(f"block {number} was not final after {seconds_max:g} s, only {final.number}")
            time.sleep(_POLL_SECONDS)
        return final
