"""Middleware of every HTTP request: its id, the limit of its body, its metrics, and the response to an unexpected exception.

It is plain ASGI, so that streaming and WebSocket connections pass unchanged and a response is not copied.
"""

import re
import time
from typing import Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paimon.gateway.rest.envelope import ErrorCode, current_request_id
from paimon.gateway.rest.errors import error_response
from paimon.gateway.rest.head_requests import is_head_answered, scope_as_get, without_body
from paimon.gateway.rest.request_limits import RequestLimits
from paimon.infrastructure.observability.metrics import HTTP_REQUESTS, HTTP_SECONDS

log = structlog.get_logger(__name__)

HEADER: Final = "X-Request-ID"
_VALID_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)


def request_id_from(offered: str | None) -> str:
    """Return the caller's own id if it is safe in a log line, else a new one."""
    return offered if offered is not None and _VALID_REQUEST_ID.fullmatch(offered) else uuid4().hex


SECURITY_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",  # counts only where TLS is ended in front of the API
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every response that does not set its own: nothing of it is stored, run, framed or passed on."""

_STATUS: Final = "paimon.status"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _count(scope: Scope, method: str, seconds: float) -> None:
    """Count the request by route template and known method: a caller's own text must not become a label."""
    route = getattr(scope.get("route"), "path", "none")
    method = method if method in _METHODS else "other"
    HTTP_REQUESTS.labels(method, route, str(scope[_STATUS])).inc()
    HTTP_SECONDS.labels(method, route).observe(seconds)


def _add_headers(headers: MutableHeaders, request_id: str) -> None:
    headers[HEADER] = request_id
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)


class RequestMiddleware:
    """Outermost middleware of the application."""

    def __init__(self, app: ASGIApp, *, body_bytes_max: int, limits: RequestLimits) -> None:
        self._app = app
        self._limits = limits
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, headers = scope["method"], Headers(scope=scope)
        if method == "HEAD":
            scope, send = scope_as_get(scope), without_body(send)
        request_id = request_id_from(headers.get(HEADER))
        token = current_request_id.set(request_id)
        began = time.monotonic()
        try:
            with structlog.contextvars.bound_contextvars(request_id=request_id):
                await self._handle(scope, receive, send, headers, request_id)
        finally:
            current_request_id.reset(token)
            _count(scope, method, time.monotonic() - began)

    async def _handle(self, scope: Scope, receive: Receive, send: Send, headers: Headers, request_id: str) -> None:
        started = False
        received = 0
        scope[_STATUS] = 499  # until a response begins: the client went away

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._body_bytes_max:
                raise HTTPException(413)
            return message

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                scope[_STATUS] = message["status"]
                _add_headers(MutableHeaders(scope=message), request_id)
            await send(message)

        if (refusal := await self._limits.refusal_of_address(scope)) is not None:
            await refusal(scope, receive, send_with_id)
            return
        if self._declares_too_large_a_body(headers):
            response = error_response(
                413,
                ErrorCode.PAYLOAD_TOO_LARGE,
                f"the request's body is larger than {self._body_bytes_max} bytes",
                headers={"Connection": "close"},
            )
            await response(scope, receive, send_with_id)
            return
        try:
            await self._app(scope, receive_limited, send_with_id)
        except Exception as error:
            if is_head_answered(error):
                return
            if started:
                raise
            log.error("request.failed", method=scope["method"], path=scope["path"], exc_info=error)
            response = error_response(
                500, ErrorCode.INTERNAL_ERROR, "an unexpected error happened; the log has it under the request id"
            )
            await response(scope, receive, send_with_id)

    def _declares_too_large_a_body(self, headers: Headers) -> bool:
        declared = headers.get("content-length", "")
        return declared.isdecimal() and int(declared[:20]) > self._body_bytes_max
