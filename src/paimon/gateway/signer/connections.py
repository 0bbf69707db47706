"""Admit connections to the signer: from callers of the policy only, few at once, and each for a bounded time.

A caller is known before a byte of its request is read: by the kernel's word on a socket (SO_PEERCRED), by its certificate
over TLS. A connection carries one request. It is cut when the request is not there in time, or its answer takes too long.
"""

import asyncio
import socket
import ssl
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from paimon.domain.operations.refusals import CallerRefusal
from paimon.gateway.signer.caller_policy import fingerprint
from paimon.infrastructure.observability.metrics import SIGNER_CONNECTIONS_REFUSED

log = structlog.get_logger(__name__)

_MACOS_PEER: Final = (0, 1)
"""SOL_LOCAL and LOCAL_PEERCRED, which give a version and the uid."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of one listening socket."""

    connections_max: int = 64
    per_address_max: int = 8
    """TLS connections from one address, so that a stranger's handshakes leave room for others."""
    handshake_seconds: float = 5.0
    request_seconds: float = 5.0
    answer_seconds: float = 60.0
    """From the whole request to the end of the answer: chain reads and a managed key take seconds."""


class CallerRefused(Exception):
    """The connection is closed."""

    def __init__(self, reason: CallerRefusal, caller: str) -> None:
        super().__init__(f"{reason}: {caller}")
        self.reason = reason
        self.caller = caller


def peer_uid(connection: socket.socket) -> int:
    """Return the user at the other end of a Unix socket, as the kernel knows it."""
    if hasattr(socket, "SO_PEERCRED"):
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[1])
    return int(struct.unpack_from("=II", connection.getsockopt(*_MACOS_PEER, 76))[1])


class Gate:
    """Admit connections of one listening socket to the HTTP server."""

    def __init__(
        self,
        listening: socket.socket,
        server: Callable[[], RequestHandler],
        *,
        limits: ConnectionLimits,
        uids: frozenset[int] = frozenset(),
        tls: ssl.SSLContext | None = None,
        clients: Mapping[str, str] | None = None,
    ) -> None:
        """`uids` may connect over a Unix socket, `clients` (name by fingerprint) over TLS."""
        self._listening = listening
        self._server = server
        self._limits = limits
        self._uids = uids
        self._tls = tls
        self._clients = clients or {}
        self._open: set[asyncio.Task[None]] = set()
        self._by_address: Counter[str] = Counter()

    @asynccontextmanager
    async def admitting(self) -> AsyncIterator[None]:
        """Admit connections until the block ends; open ones are the HTTP server's to end."""
        accepting = asyncio.create_task(self._accept())
        try:
            yield
        finally:
            accepting.cancel()
            with suppress(asyncio.CancelledError):
                await accepting
            for task in self._open:
                task.cancel()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(self._listening)
            except OSError as error:  # out of file descriptors, or the peer has gone
                log.warning("signer.accept_failed", reason=str(error))
                await asyncio.sleep(0.1)
                continue
            task = asyncio.create_task(self._serve(connection, address[0] if self._tls else ""))
            self._open.add(task)
            task.add_done_callback(self._open.discard)

    async def _serve(self, connection: socket.socket, address: str) -> None:
        """Serve one connection to its end."""
        self._by_address[address] += 1
        closed = asyncio.Event()
        try:
            caller = self._admit(connection, address)
            protocol = _Connection(self._server(), self._limits, caller, identify=self._identify, closed=closed)
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._limits.handshake_seconds if self._tls else None,
            )
            await closed.wait()
        except CallerRefused as refused:
            _report(refused)
            connection.close()
        except (OSError, ssl.SSLError) as error:
            _report(CallerRefused(CallerRefusal.HANDSHAKE_FAILED, f"{address}: {error}"))
            connection.close()
        finally:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    def _admit(self, connection: socket.socket, address: str) -> str:
        """Return the caller, as far as it is known before any handshake. Raises CallerRefused."""
        if self._tls is None and (uid := peer_uid(connection)) not in self._uids:
            raise CallerRefused(CallerRefusal.UNKNOWN_USER, f"uid {uid}")
        caller = address if self._tls else f"uid {uid}"
        if self._by_address.total() > self._limits.connections_max:
            raise CallerRefused(CallerRefusal.TOO_MANY_CONNECTIONS, caller)
        if self._tls is not None and self._by_address[address] > self._limits.per_address_max:
            raise CallerRefused(CallerRefusal.TOO_MANY_CONNECTIONS, caller)
        return caller

    def _identify(self, transport: asyncio.BaseTransport, caller: str) -> str:
        """Return the caller by name, once its certificate is known. Raises CallerRefused."""
        if self._tls is None:
            return caller
        certificate = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        found = fingerprint(certificate or b"")
        if found not in self._clients:  # the TLS library takes one that a pinned certificate has issued, too
            raise CallerRefused(CallerRefusal.UNKNOWN_CERTIFICATE, f"{caller}, certificate {found}")
        return self._clients[found]


class _Connection(asyncio.Protocol):
    """Pass an admitted connection on to the HTTP server, and cut it when it is not done in time."""

    def __init__(
        self,
        handler: RequestHandler,
        limits: ConnectionLimits,
        caller: str,
        *,
        identify: Callable[[asyncio.BaseTransport, str], str],
        closed: asyncio.Event,
    ) -> None:
        self._handler = handler
        self._limits = limits
        self._identify = identify
        self._closed = closed
        self._is_admitted = False
        self.caller = caller

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 — a stream's
        self._transport = transport
        self._cut_after(self._limits.request_seconds, CallerRefusal.SLOW_REQUEST)
        try:
            self.caller = self._identify(transport, self.caller)
        except CallerRefused as refused:
            _report(refused)
            transport.abort()
            return
        self._is_admitted = True
        self._handler.connection_made(transport)

    def request_has_come(self) -> None:
        """Give the answer its own time, now that the request is complete."""
        self._deadline.cancel()
        self._cut_after(self._limits.answer_seconds, CallerRefusal.SLOW_ANSWER)

    def _cut_after(self, seconds: float, reason: CallerRefusal) -> None:
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._cut, reason)

    def _cut(self, reason: CallerRefusal) -> None:
        _report(CallerRefused(reason, self.caller))
        self._transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._deadline.cancel()
        self._closed.set()
        if self._is_admitted:
            self._handler.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_admitted:
            self._handler.data_received(data)

    def eof_received(self) -> None:
        if self._is_admitted:
            self._handler.eof_received()

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()


def connection_of(request: web.Request) -> _Connection:
    """Return the admitted connection that this request came over."""
    assert request.transport is not None  # noqa: S101 — the handler runs while the connection is open
    connection = request.transport.get_protocol()
    assert isinstance(connection, _Connection)  # noqa: S101 — the server has no other connections
    return connection


def _report(refused: CallerRefused) -> None:
    SIGNER_CONNECTIONS_REFUSED.labels(refused.reason.value).inc()
    log.warning("signer.connection_refused", reason=refused.reason, caller=refused.caller)
