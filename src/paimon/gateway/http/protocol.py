"""Connections of the API's server, bounded before a request reaches the application.

uvicorn parses HTTP well, but keeps what a client sends and waits for what it does not send without limit. The protocols here
put bounds around its own:

    connections            in all, and per address                    refused at once
    bytes of a head        request line and header fields             431
    seconds to a head      from the connection or the last response   closed; 408 once a part has come
    seconds to a body      from the head to the last byte             408, closed
    seconds without a read of a client that takes no bytes of its response    closed
    bytes per second of a WebSocket client                            closed with 1008
"""

from asyncio import TimerHandle
from asyncio.transports import BaseTransport, Transport
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Final, cast

import orjson
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

from paimon.domain.operations.rate_limit import Bucket, Counts, RateLimit, address_group
from paimon.gateway.rest.envelope import ErrorBody, ErrorCode, ErrorEnvelope
from paimon.infrastructure.observability.metrics import HTTP_CONNECTIONS_REFUSED

log = structlog.get_logger(__name__)

_SLICE_BYTES: Final = 4_096
"""The parser gets a head in pieces of this size, so that one read of the socket cannot pass the limit at once."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds of one connection, and the counts of all connections of this process."""

    connections: Counts
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    """Addresses whose connections carry many people's requests; they count in all, not each."""
    head_bytes_max: int
    head_seconds_max: float
    body_seconds_max: float
    stalled_seconds_max: float
    websocket_bytes: RateLimit

    def is_proxy(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self.trusted_proxies)


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol over httptools with bounds. `limits` is set by a subclass that `server` makes for its process."""

    limits: ConnectionLimits

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._entered: str | None = None
        self._head_bytes = 0
        self._awaits_head = True
        self._deadline: TimerHandle | None = None
        self._stalled: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        opened = cast(Transport, transport)
        super().connection_made(opened)
        host = self.client[0] if self.client else ""
        key = f"proxy {id(self)}" if self.limits.is_proxy(host) else address_group(host)
        if not self.limits.connections.enter(key):
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS, "too many connections from this address, or in all", "connections")
            return
        self._entered = key
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timers()
        if self._entered is not None:
            self.limits.connections.leave(self._entered)
            self._entered = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        start = 0
        while start < len(data) and not self.transport.is_closing():
            size = _SLICE_BYTES if self._awaits_head else len(data)
            part = data[start : start + size]
            start += len(part)
            if self._awaits_head:
                self._head_bytes += len(part)
            super().data_received(part)
            if self.transport.get_protocol() is not self:  # a WebSocket's now
                return
            if self._awaits_head and self._head_bytes > self.limits.head_bytes_max:
                message = f"the request line and header fields are longer than {self.limits.head_bytes_max} bytes"
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, message, "head_bytes")

    def on_headers_complete(self) -> None:
        self._awaits_head = False
        self._head_bytes = 0
        self._restart_deadline(self.limits.body_seconds_max, "body_seconds")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._awaits_head = True
        self._cancel_deadline()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._awaits_head and not self.transport.is_closing() and not self.pipeline:
            self._expect_head()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over; the WebSocket's protocol leaves the counts when it is lost."""
        self._cancel_timers()
        super().handle_websocket_upgrade()
        protocol = self.transport.get_protocol()
        if isinstance(protocol, BoundedWebSocketProtocol):
            protocol.entered, self._entered = self._entered, None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(self.limits.stalled_seconds_max, self._end_stalled)

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._restart_deadline(self.limits.head_seconds_max, "head_seconds")

    def _restart_deadline(self, seconds: float, limit: str) -> None:
        self._cancel_deadline()
        self._deadline = self.loop.call_later(seconds, self._end_late, limit)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cancel_timers(self) -> None:
        self._cancel_deadline()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _end_late(self, limit: str) -> None:
        if limit == "head_seconds" and self._head_bytes == 0:  # an idle connection: nothing was asked
            HTTP_CONNECTIONS_REFUSED.labels("idle").inc()
            self.transport.close()
        elif self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            HTTP_CONNECTIONS_REFUSED.labels(limit).inc()
            self.transport.abort()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request did not come in time", limit)

    def _end_stalled(self) -> None:
        HTTP_CONNECTIONS_REFUSED.labels("stalled").inc()
        self.transport.abort()

    def _refuse(self, status: HTTPStatus, message: str, limit: str) -> None:
        """Answer without the application, and close."""
        HTTP_CONNECTIONS_REFUSED.labels(limit).inc()
        code = ErrorCode.RATE_LIMITED if status is HTTPStatus.TOO_MANY_REQUESTS else ErrorCode.REQUEST_REFUSED
        envelope = ErrorEnvelope(error=ErrorBody(code=code, message=message))
        body = orjson.dumps(envelope.model_dump(mode="json", by_alias=True, exclude_none=True))
        retry = b"Retry-After: 5\r\n" if status is HTTPStatus.TOO_MANY_REQUESTS else b""
        self.transport.write(
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n".encode()
            + retry
            + b"\r\n"
            + body
        )
        self.transport.close()


class BoundedWebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with a bound on what a client sends: messages, fragments, pings and pongs alike."""

    limits: ConnectionLimits
    entered: str | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self._bucket = Bucket(float(self.limits.websocket_bytes.burst), self.loop.time())
        self._handshake_done = False
        self._stalled: TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self.entered is not None:
            self.limits.connections.leave(self.entered)
            self.entered = None
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._handshake_done and not self._takes(len(data)):
            HTTP_CONNECTIONS_REFUSED.labels("websocket_bytes").inc()
            self.conn.fail(CloseCode.POLICY_VIOLATION, "sends too much")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
            return
        self._handshake_done = True  # the first data is the request, which the HTTP protocol has bounded
        super().data_received(data)

    def _takes(self, size: int) -> bool:
        limit, now = self.limits.websocket_bytes, self.loop.time()
        tokens = min(float(limit.burst), self._bucket.tokens + (now - self._bucket.at) * limit.per_second) - size
        self._bucket = Bucket(tokens, now)
        return tokens >= 0

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(self.limits.stalled_seconds_max, self.transport.abort)

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()
