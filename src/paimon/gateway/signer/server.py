"""The signer's HTTP server: two routes on a Unix socket that only its owner may open.

POST /sign    a request of the protocol in infrastructure/keys/wire.py → 200 {raw, hash}, or {code, reason} with
              400 malformed, 403 refused, 503 cannot check or sign now
GET  /health  the chain and the keys, by name and address
"""

import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from json import JSONDecodeError
from pathlib import Path
from typing import Final

from aiohttp import web

from paimon.domain.kernel.chain import checksum
from paimon.gateway.signer.check_request import RefusalCode, RequestRefused
from paimon.gateway.signer.service import SigningService
from paimon.infrastructure.keys.wire import MalformedMessage, request_from_json, signed_to_json
from paimon.infrastructure.observability.metrics import SIGNER_REQUESTS

_BODY_BYTES_MAX: Final = 256 * 1024
_SERVICE: Final = web.AppKey("service", SigningService)
_STATUS: Final = {RefusalCode.MALFORMED_REQUEST: 400, RefusalCode.CHECK_UNAVAILABLE: 503, RefusalCode.KEY_UNAVAILABLE: 503}
_BACKLOG: Final = 64


class SocketInUse(Exception):
    """The socket's path is taken, by a running signer or by a file that is no socket."""


def build_app(service: SigningService) -> web.Application:
    app = web.Application(client_max_size=_BODY_BYTES_MAX)
    app[_SERVICE] = service
    app.add_routes([web.post("/sign", _sign), web.get("/health", _health)])
    return app


async def _sign(request: web.Request) -> web.Response:
    try:
        try:
            sign_request = request_from_json(await request.json())
        except (MalformedMessage, JSONDecodeError, UnicodeDecodeError) as error:
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
async def serving(service: SigningService) -> AsyncIterator[None]:
    """Serve on the policy's socket until the block ends, then remove the socket.

    Raises:
        SocketInUse.
    """
    path = service.policy.socket
    listener = claim_socket(path)
    runner = web.AppRunner(build_app(service), access_log=None)
    try:
        await runner.setup()
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()
        listener.close()
        path.unlink(missing_ok=True)


def claim_socket(path: Path) -> socket.socket:
    """Return a listening socket at `path`, created with mode 0600. The socket of a killed signer is replaced.

    Raises:
        SocketInUse.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise SocketInUse(f"cannot listen on {path}: {error}") from error
    finally:
        os.umask(before)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


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
