"""Run one command or process: signals end it cleanly, and errors become one sentence instead of a traceback."""

import asyncio
import gc
import os
import pwd
import signal
import socket
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, NoReturn

import structlog
import typer
import uvloop

from paimon.domain.kernel.chain import Address, InvalidAddress, parse_address
from paimon.errors import PaimonError
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.observability.logging import configure_logging
from paimon.settings import Settings, load_settings

log = structlog.get_logger(__name__)

EXIT_FAILED: Final = 2


def settings_for(context: typer.Context, process: str) -> Settings:
    """Load the settings (`--env-file`, PAIMON_…) and set up logging for this process."""
    settings = load_settings(context.obj)
    configure_logging(process=process, level=settings.log.level, json_lines=settings.log.json_lines)
    return settings


def who_runs_this() -> str:
    """Return the user and the host of this command, as the machine knows them, for the audit trail."""
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user without a name
        user = f"uid {uid}"
    return f"{user}@{socket.gethostname()}"


@contextmanager
def exit_on_error(*, node_setting: str = "PAIMON_CHAIN__RPC_URL") -> Iterator[None]:
    """Turn a known error into its message on stderr and exit code 2.

    This also covers a server that stops answering after the checks at the start. The message about a failing node names
    `node_setting`, where the node's URL came from.
    """
    try:
        yield
    except PaimonError as error:
        exit_with_message(str(error))
    except (RpcUnavailable, RpcError) as error:
        exit_with_message(f"{error} ({node_setting})")


@contextmanager
def infrequent_gc(objects: int = 1_000_000) -> Iterator[None]:
    """Collect garbage once per this many new objects, for work that allocates much and makes hardly any cycle.

    A batch of logs is some hundred thousand objects. Python's default of 700 costs a fifth to a third of the time.
    """
    previous = gc.get_threshold()
    gc.set_threshold(objects)
    try:
        yield
    finally:
        gc.set_threshold(*previous)


def exit_with_message(message: str) -> NoReturn:
    """Print the message on stderr and end the command with exit code 2."""
    typer.secho(f"paimon: {message}", fg="red", err=True)
    sys.stderr.flush()
    raise typer.Exit(EXIT_FAILED)


def address_argument(text: str) -> Address:
    """Parse an address from the command line, or end the command with what is wrong."""
    try:
        return parse_address(text)
    except InvalidAddress as error:
        exit_with_message(str(error))


def run_until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Run a process's coroutine; SIGTERM and SIGINT cancel it, so that it releases leases and connections.

    Work that ends without a signal is a failure, however it ended: the command then has exit code 2.
    """

    async def main() -> bool:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        signalled = asyncio.Event()

        def end() -> None:
            signalled.set()
            task.cancel()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        with suppress(asyncio.CancelledError):
            await task
        if signalled.is_set():
            log.info("process.stopped")
        return signalled.is_set()

    if not uvloop.run(main()):
        exit_with_message("the process ended by itself")
