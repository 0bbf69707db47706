"""The `paimon` program: every process of the product, and the commands of an operator."""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final, cast

import typer

from paimon.infrastructure.observability.logging import configure_logging

COMMANDS: Final = {
    "api": "api",
    "listener": "listener",
    "worker": "worker",
    "scheduler": "scheduler",
    "signer": "signer",
    "config": "config",
    "db": "database",
    "users": "users",
    "status": "status",
    "tx": "tx",
    "outbox": "outbox",
    "quarantine": "quarantine",
    "reconcile": "reconcile",
    "replay": "replay",
    "audit-chain": "audit_chain",
    "recover": "recover",
    "snapshot": "snapshot",
    "nav": "nav",
}
"""Each command of the product and the module in this package that holds its `app`."""

EXTRA_COMMANDS: Final = "paimon.commands"
"""The entry point group of commands from other packages; `paimon_devkit` adds `demo`, `smoke` and `market`."""

_HELP: Final = "Operations backend of Paimon Prime Fund."

app = typer.Typer(name="paimon", help=_HELP, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file", envvar="PAIMON_ENV_FILE", help="File with settings, one PAIMON_… variable a line.", show_default=False
    ),
]


_VERSION: Final = "--version"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"paimon {version('paimon')}")
        raise typer.Exit


Version = Annotated[bool, typer.Option(_VERSION, callback=_print_version, is_eager=True, help="Print the version and exit.")]


@app.callback()
def main(context: typer.Context, env_file: EnvFile = None, _version: Version = False) -> None:
    """Keep the settings file for the command and set up logging; a process sets up its own."""
    context.obj = env_file
    configure_logging(process="cli", level="warning", json_lines=False)


def run() -> None:
    """Run the `paimon` program.

    Only the called command is imported: a signer that starts again must not wait for the API to load.
    """
    loaders = command_loaders()
    called = next((argument for argument in sys.argv[1:] if argument in loaders), None)
    needed = [called] if called else [] if _VERSION in sys.argv else list(loaders)
    with _collector_skips_imports():
        for name in needed:
            command = loaders[name]()
            is_group = len(command.registered_commands) > 1 or command.registered_callback is not None
            app.add_typer(command, name=name if is_group else None)
    app()


@contextmanager
def _collector_skips_imports() -> Iterator[None]:
    """Keep the garbage collector from the modules imported here, now and at exit.

    Modules stay until the process ends. Searching them for garbage takes as long as importing them: 0.7 s of the listener's
    CPU time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def command_loaders() -> dict[str, Callable[[], typer.Typer]]:
    """Return each command's name with a loader of its `app`: the product's first, then those of installed packages."""

    def product(module: str) -> Callable[[], typer.Typer]:
        return lambda: cast(typer.Typer, import_module(f"paimon.gateway.cli.{module}").app)

    own = {name: product(module) for name, module in COMMANDS.items()}
    extra: dict[str, Callable[[], typer.Typer]] = {
        entry.name: entry.load for entry in entry_points(group=EXTRA_COMMANDS) if _is_installed(entry)
    }
    return {**own, **{name: load for name, load in extra.items() if name not in own}}


def _is_installed(entry: EntryPoint) -> bool:
    """Return whether the entry point's package is there; the product may be installed without `paimon_devkit`."""
    return find_spec(entry.module.partition(".")[0]) is not None
