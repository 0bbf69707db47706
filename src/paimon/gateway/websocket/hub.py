"""The hub: the connected clients, their channels, and a queue for each.

Publishing never waits: it puts the message into each subscriber's queue. A client whose queue is full reads too slowly and is
dropped, so it costs the other clients nothing and a bounded amount of memory. It can reconnect and read over REST what it
missed.
"""

import asyncio

import structlog

from paimon.gateway.websocket.protocol import LiveChannel

log = structlog.get_logger(__name__)


class Client:
    """The outgoing queue of one connection. `dropped` is set when the client reads too slowly."""

    def __init__(self, queue_max: int) -> None:
        self.channels: frozenset[LiveChannel] = frozenset()
        self.dropped = asyncio.Event()
        self._queue: asyncio.Queue[str] = asyncio.Queue(queue_max)

    def enqueue(self, text: str) -> None:
        """Queue the text, or mark the client as dropped if its queue is full."""
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self.dropped.set()

    async def next(self) -> str:
        return await self._queue.get()


class Hub:
    """All clients of this process. Use it from one event loop only."""

    def __init__(self) -> None:
        self._clients: set[Client] = set()

    def join(self, client: Client) -> None:
        self._clients.add(client)

    def leave(self, client: Client) -> None:
        self._clients.discard(client)

    @property
    def client_count(self) -> int:
        return len(self._clients)

    def publish(self, channel: LiveChannel, text: str) -> None:
        """Queue the text for every client that is subscribed to the channel."""
        for client in self._clients:
            if channel in client.channels:
                client.enqueue(text)

    def broadcast(self, text: str) -> None:
        for client in self._clients:
            client.enqueue(text)
