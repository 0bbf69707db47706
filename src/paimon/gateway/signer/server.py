"""The signer's HTTP server: two routes for callers of the policy, on a Unix socket, over TLS, or both.

POST /sign    a request of the protocol in infrastructure/keys/wire.py → 200 {raw, hash}, or {code, reason} with
              400 malformed, 403 refused, 413 too large, 503 cannot check or sign now
GET  /health  the chain and the keys, by name and address
"""

import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from paimon.domain.kernel.chain import checksum
from paimon.gateway.signer.caller_policy import local_callers, pinned_clients, server_context, socket_group
from paimon.gateway.signer.check_request import RefusalCode, RequestRefused
from paimon.gateway.signer.connections import ConnectionLimits, Gate, connection_of
from paimon.gateway.signer.policy import SignerPolicy
from paimon.gateway.signer.service import SigningService
from paimon.infrastructure.keys.wire import MalformedMessage, request_from_json, signed_to_json
from paimon.infrastructure.observability.metrics import SIGNER_REQUESTS

_BODY_BYTES_MAX: Final = 256 * 1024
_SERVICE: Final = web.AppKey("service", SigningService)
_STATUS: Final = {RefusalCode.MALFORMED_REQUEST: 400, RefusalCode.CHECK_UNAVAILABLE: 503, RefusalCode.KEY_UNAVAILABLE: 503}
_BACKLOG: Final = 64
_LIMITS: Final = ConnectionLimits()
_STOP_SECONDS: Final = 10.0


class SocketInUse(Exception):
    """The signer cannot listen: another one or a file has the path or the port, or the socket's group cannot be set."""


def build_app(service: SigningService) -> web.Application:
    app = web.Application(client_max_size=_BODY_BYTES_MAX, middlewares=[_one_request])
    app[_SERVICE] = service
    app.add_routes([web.post("/sign", _sign), web.get("/health", _health)])
    return app


@web.middleware
async def _one_request(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Read the request within its time and answer it; then the connection ends."""
    try:
        await request.read()
    except web.HTTPRequestEntityTooLarge:
        reason = f"a request has at most {_BODY_BYTES_MAX} bytes"
        response: web.StreamResponse = web.json_response({"code": RefusalCode.MALFORMED_REQUEST, "reason": reason}, status=413)
    else:
        connection_of(request).request_has_come()
        response = await handler(request)
    response.force_close()
    return response


async def _sign(request: web.Request) -> web.Response:
    try:
        try:
            sign_request = request_from_json(orjson.loads(await request.read()))
        except (MalformedMessage, orjson.JSONDecodeError) as error:
            raise RequestRefused(RefusalCode.MALFORMED_REQUEST, str(error)) from error
        signed = await request.app[_SERVICE].sign(sign_request)
    except RequestRefused as refused:
        SIGNER_REQUESTS.labels(refused.code.value).inc()
        return web.json_response({"code": refused.code, "reason": refused.reason}, status=_STATUS.get(refused.code, 403))
    SIGNER_REQUESTS.labels("signed").inc()
    return web.json_response(signed_to_json(signed))


async def _health(request: web.Request) -> web.Response:
    policy = request.app[_SERVICE].policy
    keys = [{"name": key.name, "address": checksum(key.address), "functions": sorted(key.functions)} for key in policy.keys]
    return web.json_response({"chainId": policy.chain_id, "keys": keys})


@asynccontextmanager
async def serving(service: SigningService, *, limits: ConnectionLimits = _LIMITS) -> AsyncIterator[None]:
    """Serve on the policy's socket and port until the block ends, then remove the socket.

    Raises:
        SocketInUse, CallerError.
    """
    policy = service.policy
    runner = web.AppRunner(
        build_app(service), access_log=None, lingering_time=0, auto_decompress=False, shutdown_timeout=_STOP_SECONDS
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        for gate in _gates(policy, runner, stack, limits):
            await stack.enter_async_context(gate.admitting())
        yield


def _gates(policy: SignerPolicy, runner: web.AppRunner, stack: AsyncExitStack, limits: ConnectionLimits) -> list[Gate]:
    assert runner.server is not None  # noqa: S101 — it was set up
    gates = []
    if policy.socket is not None:
        listening = claim_socket(policy.socket, group=socket_group(policy.callers))
        stack.callback(policy.socket.unlink, missing_ok=True)
        stack.callback(listening.close)
        own = {os.geteuid()} if policy.callers.allow_same_user else set()
        uids = frozenset(own | {caller.uid for caller in local_callers(policy.callers)})
        gates.append(Gate(listening, runner.server, limits=limits, uids=uids))
    if policy.tls is not None:
        listening = _claim_port(policy.tls.host, policy.tls.port)
        stack.callback(listening.close)
        clients = pinned_clients(policy.tls)
        gates.append(Gate(listening, runner.server, limits=limits, tls=server_context(policy.tls), clients=clients))
    return gates


def _claim_port(host: str, port: int) -> socket.socket:
    try:
        listening = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=_BACKLOG
        )
    except OSError as error:
        raise SocketInUse(f"cannot listen on {host}:{port} (tls): {error}") from error
    listening.setblocking(False)
    return listening


def claim_socket(path: Path, *, group: int | None = None) -> socket.socket:
    """Return a listening socket at `path`: of mode 0660 for the group, else 0600. The socket of a killed signer is replaced.

    Raises:
        SocketInUse.
    """
    try:
        path.parent.mkdir(mode=0o700 if group is None else 0o750, parents=True, exist_ok=True)
        _remove_stale(path)
    except OSError as error:
        raise SocketInUse(f"cannot listen on {path}: {error}") from error
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise SocketInUse(f"cannot listen on {path}: {error}") from error
    finally:
        os.umask(before)
    if group is not None:
        _open_to_group(path, listener, group)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def _open_to_group(path: Path, listener: socket.socket, group: int) -> None:
    try:
        os.chown(path, -1, group)
        path.chmod(0o660)
    except OSError as error:
        listener.close()
        path.unlink()
        raise SocketInUse(
            f"cannot give {path} to the group {group}: {error}; the signer's user must be a member of it (callers.group)"
        ) from error


def _remove_stale(path: Path) -> None:
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise SocketInUse(f"{path} exists and is no socket; give the signer's socket a path of its own")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()  # no process listens: its signer was killed
        else:
            raise SocketInUse(f"another signer listens on {path}; stop it first")
