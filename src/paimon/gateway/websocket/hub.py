"""The hub: the connected clients, who they are, their channels, and a queue for each.

Publishing never waits: it puts the message into each subscriber's queue. A client whose queue is full reads too slowly and is
dropped, so it costs the other clients nothing and a bounded amount of memory. It can reconnect and read over REST what it
missed.
"""

import asyncio
from collections.abc import Mapping, Set
from uuid import UUID

import structlog

from paimon.domain.kernel.chain import Address
from paimon.domain.user.roles import ChainRole, User
from paimon.gateway.websocket.protocol import LiveChannel

log = structlog.get_logger(__name__)


class Client:
    """The outgoing queue of one connection, and the person it authenticated as.

    `dropped` is set when the client reads too slowly, `right_ended` when the person may no longer sign in, when their rights
    here or roles on chain are not what they were, or when their session has ended.
    """

    def __init__(self, queue_max: int) -> None:
        self.channels: frozenset[LiveChannel] = frozenset()
        self.user: User | None = None
        self.held: frozenset[ChainRole] = frozenset()
        self.session: UUID | None = None
        self.dropped = asyncio.Event()
        self.right_ended = asyncio.Event()
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

    def sessions(self) -> set[UUID]:
        """Return the sessions of all clients."""
        return {client.session for client in self._clients if client.session is not None}

    def people(self) -> set[Address]:
        """Return the people of all clients."""
        return {client.user.address for client in self._clients if client.user is not None}

    def end_other_rights(
        self, users: Mapping[Address, User], held: Mapping[Address, Set[ChainRole]], active: Set[UUID], sessions: Set[UUID]
    ) -> None:
        """End the clients of these sessions whose person is no such user or holds other roles, or that are not active."""
        for client in self._clients:
            if client.user is None or client.session not in sessions:
                continue
            address = client.user.address
            same = users.get(address) == client.user and held.get(address, frozenset()) == client.held
            if not same or client.session not in active:
                client.right_ended.set()

    def broadcast(self, text: str) -> None:
        for client in self._clients:
            client.enqueue(text)
