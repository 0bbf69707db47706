"""`paimon api`: serve the REST API, the WebSocket and the API documentation."""

import asyncio
import signal
import socket
import sys
from types import FrameType
from typing import NoReturn

import typer

from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error, exit_with_message, settings_for
from paimon.gateway.cli.resources import check_ready
from paimon.gateway.http.server import create_server
from paimon.gateway.rest.app import create_app

app = CommandApp()


@app.command()
def api(context: typer.Context) -> None:
    """Serve the REST API, the WebSocket and the API documentation."""
    with exit_on_error():
        settings = settings_for(context, "api")
        listening = _open_socket(settings.api.host, settings.api.port)
        asyncio.run(check_ready(settings, process="api"))
        server = create_server(create_app(settings), settings.api)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _exit_cleanly)
        server.run(sockets=[listening])
    if not server.started:
        # The lifespan has logged the reason; uvicorn itself would end with success.
        raise typer.Exit(2)


def _exit_cleanly(_number: int, _frame: FrameType | None) -> NoReturn:
    """End with success: uvicorn handles the signals while it serves, then raises them again for this handler."""
    sys.exit(0)


def _open_socket(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        exit_with_message(f"cannot listen on {host}:{port}: {error.strerror}; free it or set PAIMON_API__PORT to another port")
    return listening
