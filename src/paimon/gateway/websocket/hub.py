"""Who is listening to what. A message is put into each listener's own queue, and nobody is waited for.

A client whose queue is full reads too slowly: it is dropped, so that it costs the others nothing and no memory without
bound. It may come back and read over REST what it missed.
"""

import asyncio

import structlog

from paimon.gateway.websocket.protocol import LiveChannel

log = structlog.get_logger(__name__)


class Client:
    """One connection's outgoing side: texts to send, in order, and whether it fell too far behind."""

    def __init__(self, queue_max: int) -> None:
        self.channels: frozenset[LiveChannel] = frozenset()
        self.dropped = asyncio.Event()
        self._queue: asyncio.Queue[str] = asyncio.Queue(queue_max)

    def enqueue(self, text: str) -> None:
        """Queue the text, or mark the client as dropped when it has no room."""
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self.dropped.set()

    async def next(self) -> str:
        return await self._queue.get()


class Hub:
    """All clients of this process. Used from one event loop."""

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
        """To everyone subscribed to the channel."""
        for client in self._clients:
            if channel in client.channels:
                client.enqueue(text)

    def broadcast(self, text: str) -> None:
        for client in self._clients:
            client.enqueue(text)
