"""Running one process of the house: signals end it cleanly, refusals end it with a sentence instead of a traceback."""

import asyncio
import gc
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import structlog
import typer
import uvloop

from paimon.errors import StartupError
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.observability.logging import configure_logging
from paimon.settings import Settings, load_settings

log = structlog.get_logger(__name__)

EXIT_REFUSED: Final = 2


def settings_for(context: typer.Context, process: str) -> Settings:
    """Load the settings (`--env-file`, PAIMON_…) and set logging up for this process."""
    settings = load_settings(context.obj)
    configure_logging(process=process, level=settings.log.level, json_lines=settings.log.json_lines)
    return settings


@contextmanager
def exit_on_error(*, node_setting: str = "PAIMON_CHAIN__RPC_URL") -> Iterator[None]:
    """Turn a refusal into its message on stderr and exit code 2.

    A server that goes away between the checks at the start and the work gives the same: one sentence, no traceback. A node's
    failure names `node_setting`, where its URL came from.
    """
    try:
        yield
    except StartupError as refusal:
        exit_with_message(str(refusal))
    except (RpcUnavailable, RpcError) as error:
        exit_with_message(f"{error} ({node_setting})")


@contextmanager
def infrequent_gc(objects: int = 1_000_000) -> Iterator[None]:
    """Look for cycles among every so many new objects. Pages and batches of logs are some hundred thousand and hardly a cycle:
    to look every 700, as Python does, takes a fifth to a third of the time."""
    previous = gc.get_threshold()
    gc.set_threshold(objects)
    try:
        yield
    finally:
        gc.set_threshold(*previous)


def exit_with_message(message: str) -> NoReturn:
    """End the command with a message for the person who gave it."""
    typer.secho(f"paimon: {message}", fg="red", err=True)
    sys.stderr.flush()
    raise typer.Exit(EXIT_REFUSED)


def run_until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Run a process's coroutine; SIGTERM and Ctrl-C cancel it, so that leases are given back and connections closed."""

    async def main() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            log.info("process.stopped")

    uvloop.run(main())
