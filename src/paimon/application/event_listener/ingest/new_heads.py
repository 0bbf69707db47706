"""A WebSocket `newHeads` subscription that only wakes the listener: losing it costs latency, never an event."""

import asyncio
import random
from typing import Any, Final, Self

import orjson
import structlog
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from paimon.infrastructure.blockchain.rpc.endpoint import endpoint_name
from paimon.infrastructure.observability.metrics import NEW_HEADS_CONNECTED
from paimon.settings import ChainSettings

log = structlog.get_logger(__name__)

_MESSAGE_BOUNDS: Final[dict[str, Any]] = {"max_size": 64 * 1024, "max_queue": 4, "compression": None}
"""A head has some kilobytes. More closes the connection, and so does a compressed message: none was agreed."""
_RECONNECT_SECONDS_MAX: Final = 30.0


class NewHeadsSubscription:
    """Wake a waiting task at each new head, and at least at every poll.

    A connection that brings no head for `silence_seconds` is taken for dead, even if it is open, and made anew.
    """

    def __init__(self, url: str | None, *, poll_seconds: float, silence_seconds: float) -> None:
        self._url = url
        self._poll_seconds = poll_seconds
        self._silence_seconds = silence_seconds
        self._new_head = asyncio.Event()

    @classmethod
    def from_settings(cls, options: ChainSettings) -> Self:
        """Return the subscription that the settings describe; without a URL it only polls."""
        return cls(
            options.ws_url.get_secret_value() if options.ws_url else None,
            poll_seconds=options.poll_seconds,
            silence_seconds=options.new_heads_silence_seconds,
        )

    async def wait(self) -> None:
        """Wait until the next head or the next poll, whichever comes first."""
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._new_head.wait()
        except TimeoutError:
            return
        finally:
            self._new_head.clear()

    async def listen(self) -> None:
        """Keep the subscription connected until cancelled, with jittered reconnects; return at once without a URL."""
        if self._url is None:
            return
        try:
            await self._listen(self._url)
        finally:
            NEW_HEADS_CONNECTED.remove(endpoint_name(self._url))  # a process that does not listen reports no value

    async def _listen(self, url: str) -> None:
        connected = NEW_HEADS_CONNECTED.labels(endpoint_name(url))
        failures = 0
        while True:
            try:
                async with connect(url, open_timeout=5, close_timeout=1, **_MESSAGE_BOUNDS) as socket:
                    await socket.send(
                        orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]})
                    )
                    failures = 0
                    connected.set(1)
                    while True:
                        async with asyncio.timeout(self._silence_seconds):
                            await socket.recv()
                        self._new_head.set()
            except (OSError, WebSocketException, TimeoutError) as error:
                connected.set(0)
                failures += 1
                pause = random.uniform(0, min(_RECONNECT_SECONDS_MAX, 0.5 * 2 ** min(failures, 6)))  # noqa: S311 — jitter
                log.warning(
                    "new_heads.disconnected",
                    endpoint=endpoint_name(url),
                    reason=f"{type(error).__name__}: {error}".replace(url, endpoint_name(url)),
                    retry_seconds=round(pause, 1),
                )
                await asyncio.sleep(pause)
