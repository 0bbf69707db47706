"""Build the API's server from the settings."""

import resource
from contextlib import suppress
from ipaddress import ip_network
from typing import Final

import uvicorn
from fastapi import FastAPI

from paimon.domain.operations.rate_limit import Counts, RateLimit
from paimon.gateway.http.protocol import BoundedHttpProtocol, BoundedWebSocketProtocol, ConnectionLimits
from paimon.gateway.websocket.protocol import FRAME_BYTES_MAX
from paimon.settings import ApiSettings

_DESCRIPTORS_ELSEWHERE: Final = 200
"""File descriptors for everything but people's connections: database, Redis, nodes, metrics, files."""


def create_server(app: FastAPI, options: ApiSettings) -> uvicorn.Server:
    """Create the server for an application; it listens once it is run with a socket."""
    bounds = ConnectionLimits(
        connections=Counts(options.connections_per_address_max, min(options.connections_max, _descriptors())),
        trusted_proxies=tuple(map(ip_network, options.proxies())),
        head_bytes_max=options.head_bytes_max,
        head_seconds_max=options.head_seconds_max,
        body_seconds_max=options.body_seconds_max,
        stalled_seconds_max=options.stalled_seconds_max,
        websocket_bytes=RateLimit(options.ws_bytes_per_second, options.ws_bytes_burst),
    )
    config = uvicorn.Config(
        app,
        http=type("HttpProtocol", (BoundedHttpProtocol,), {"limits": bounds}),
        ws=type("WebSocketProtocol", (BoundedWebSocketProtocol,), {"limits": bounds}),
        ws_max_size=FRAME_BYTES_MAX,
        ws_per_message_deflate=False,  # it costs memory for each client, and a small frame may become a large one
        proxy_headers=bool(options.proxies()),
        forwarded_allow_ips=options.proxies() or None,
        server_header=False,
        timeout_keep_alive=options.keep_alive_seconds,
        timeout_graceful_shutdown=5,
        log_config=None,
        access_log=False,
    )
    return uvicorn.Server(config)


def _descriptors() -> int:
    """Return how many connections the process can have open, after raising its own limit as far as the system lets it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft - _DESCRIPTORS_ELSEWHERE, 1)
