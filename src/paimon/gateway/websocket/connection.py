"""One WebSocket connection from its first frame to its close.

Tasks run side by side: reading the client's frames, sending the queued messages, and waiting for the token's expiry and for
the end of the person's right. The first one that ends also ends the connection. Replies go through the queue of live messages,
so they keep their order, and a client that sends but never reads is dropped like any other slow client.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from paimon.application.identity.sign_in import Caller, authenticate
from paimon.application.identity.store import list_chain_roles
from paimon.composition import AppContext
from paimon.domain.kernel.chain import Address
from paimon.domain.operations.rate_limit import RateLimit, RateLimiter
from paimon.gateway.rest.dependencies import client_address, require_admin_network
from paimon.gateway.rest.envelope import ErrorCode
from paimon.gateway.rest.errors import rule_for
from paimon.gateway.rest.request_limits import RequestLimits
from paimon.gateway.websocket import protocol
from paimon.gateway.websocket.hub import Client, Hub
from paimon.gateway.websocket.protocol import Auth, CloseCode, InvalidMessage, Ping, Subscribe, Unsubscribe

log = structlog.get_logger(__name__)

_CLOSE_SECONDS_MAX: Final = 1.0
"""The longest wait for a client that does not read its closing frame."""


@dataclass(frozen=True, slots=True)
class ConnectionEnd:
    """The reason for which a connection ends, and its last message. Without a code, the client has disconnected."""

    reason: str
    code: CloseCode | None = None
    final_message: str | None = None


def _rate_limited(reason: str) -> ConnectionEnd:
    return ConnectionEnd(reason, CloseCode.RATE_LIMITED, protocol.error(ErrorCode.RATE_LIMITED, reason))


class Connection:
    """Serves one client until the connection ends. It runs in the task of its request."""

    def __init__(self, websocket: WebSocket, context: AppContext, hub: Hub, limits: RequestLimits) -> None:
        options = context.settings.api
        self._websocket = websocket
        self._context = context
        self._hub = hub
        self._client = Client(options.ws_queue_max)
        self._limits = limits
        self._messages = RateLimiter(RateLimit(options.ws_messages_per_second, options.ws_messages_burst))
        self._tokens = RateLimiter(RateLimit(options.ws_auth_messages_per_minute / 60, options.ws_auth_messages_burst))
        self._person: Address | None = None
        self._clock = asyncio.timeout(options.ws_auth_timeout_seconds)

    async def serve(self) -> None:
        await self._websocket.accept()
        try:
            end = await self._run_until_closed()
        finally:
            self._hub.leave(self._client)
            self._leave_person()
        log.info("live.client_disconnected", reason=end.reason)
        if end.code is not None:
            await self._close(end.code, end)

    async def _run_until_closed(self) -> ConnectionEnd:
        reading = asyncio.create_task(self._read())
        sending = asyncio.create_task(self._send())
        dropped = asyncio.create_task(self._client.dropped.wait())
        right_ended = asyncio.create_task(self._client.right_ended.wait())
        tasks = {reading, sending, dropped, right_ended}
        try:
            async with self._clock:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if dropped in done:
                return ConnectionEnd("reads too slowly", CloseCode.TRY_AGAIN_LATER)
            if right_ended in done:
                reason = "this session, or a right or role of this wallet, has ended or changed: sign in again"
                return ConnectionEnd(reason, CloseCode.UNAUTHORISED, protocol.error(ErrorCode.AUTH_INVALID, reason))
            return reading.result() if reading in done else sending.result()
        except TimeoutError:
            return self._timed_out()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _timed_out(self) -> ConnectionEnd:
        code = ErrorCode.AUTH_EXPIRED if self._person is not None else ErrorCode.AUTH_REQUIRED
        reason = "the access token has expired" if self._person is not None else "no access token came in time"
        return ConnectionEnd(reason, CloseCode.UNAUTHORISED, protocol.error(code, reason))

    async def _send(self) -> ConnectionEnd:
        try:
            while True:
                await self._websocket.send_text(await self._client.next())
        except WebSocketDisconnect:
            return ConnectionEnd("disconnected")

    async def _read(self) -> ConnectionEnd:
        while True:
            frame = await self._websocket.receive()
            if frame["type"] == "websocket.disconnect":
                return ConnectionEnd("disconnected")
            if self._messages.wait_seconds(None, now=time.monotonic()):
                return _rate_limited("too many messages")
            text = frame.get("text")
            if len(text if text is not None else frame.get("bytes") or b"") > protocol.FRAME_CHARS_MAX:
                return ConnectionEnd(f"a frame longer than {protocol.FRAME_CHARS_MAX}", CloseCode.TOO_BIG)
            try:
                if text is None:
                    raise InvalidMessage("messages are text frames of JSON")
                end = await self._handle_message(protocol.parse(text))
            except InvalidMessage as error:
                self._client.enqueue(protocol.error(ErrorCode.VALIDATION_ERROR, str(error)))
                continue
            if end is not None:
                return end

    async def _handle_message(self, message: protocol.ClientMessage) -> ConnectionEnd | None:
        client = self._client
        match message:
            case Auth(token):
                return await self._authenticate(token)
            case Ping():
                client.enqueue(protocol.PONG)
            case Subscribe() | Unsubscribe() if self._person is None:
                client.enqueue(protocol.error(ErrorCode.AUTH_REQUIRED, 'first send {"type":"auth","token":…}'))
            case Subscribe(channels):
                client.channels |= channels
                client.enqueue(protocol.subscribed(client.channels))
            case Unsubscribe(channels):
                client.channels -= channels
                client.enqueue(protocol.subscribed(client.channels))
        return None

    async def _authenticate(self, token: str) -> ConnectionEnd | None:
        """Check an access token. The first one starts the session; a later one extends it."""
        if self._tokens.wait_seconds(None, now=time.monotonic()):
            return _rate_limited("too many access tokens")
        try:
            context = self._context
            caller: Caller = await authenticate(
                token,
                database=context.database,
                auth=context.settings.auth,
                keys=context.token_keys,
                users=context.users,
            )
            require_admin_network(caller.user, client_address(self._websocket), context)
            async with context.database.read() as session:
                held = await list_chain_roles(session, caller.user.address)
        except Exception as error:
            rule = rule_for(error)
            if rule is None:
                raise
            close_code = CloseCode.UNAUTHORISED if rule.status < 500 else CloseCode.TRY_AGAIN_LATER
            return ConnectionEnd(
                f"authentication failed: {rule.code}", close_code, protocol.error(rule.code, rule.message or str(error))
            )
        if self._person != (person := caller.user.address):
            self._leave_person()
            if not self._limits.sockets_of_person.enter(person):
                return _rate_limited("too many connections of this person")
            self._person = person
        self._clock.reschedule(asyncio.get_running_loop().time() + caller.seconds_left)
        self._client.user, self._client.held, self._client.session = caller.user, held, caller.token.session
        self._client.enqueue(protocol.authenticated(caller.user, caller.token.expires_at))
        self._hub.join(self._client)
        return None

    def _leave_person(self) -> None:
        if self._person is not None:
            self._limits.sockets_of_person.leave(self._person)
            self._person = None

    async def _close(self, code: CloseCode, end: ConnectionEnd) -> None:
        try:
            async with asyncio.timeout(_CLOSE_SECONDS_MAX):
                if end.final_message is not None:
                    await self._websocket.send_text(end.final_message)
                await self._websocket.close(code, end.reason)
        except (TimeoutError, WebSocketDisconnect) as error:
            # The client does not read or has just disconnected: the server closes the transport when this request returns.
            log.debug("live.close_failed", code=code, reason=type(error).__name__)
