"""`paimon …`: every process of the house, the database, the people, and a demo of all of it."""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
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
"""Entry points of other packages that add commands; `paimon_devkit` adds the demo, the smoke test and the market."""

app = typer.Typer(
    name="paimon",
    help="Operations backend of Paimon Prime Fund.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

EnvFile = Annotated[
    Path | None,
    typer.Option("--env-file", envvar="PAIMON_ENV_FILE", help="Settings file with PAIMON_… variables.", show_default=False),
]


@app.callback()
def main(context: typer.Context, env_file: EnvFile = None) -> None:
    """Operations backend of Paimon Prime Fund."""
    context.obj = env_file
    configure_logging(process="cli", level="warning", json_lines=False)  # processes set up their own


def run() -> None:
    """Run the `paimon` program.

    Only the called command is imported: a signer that starts again must not wait for the API to load.
    """
    loaders = _loaders()
    called = next((argument for argument in sys.argv[1:] if argument in loaders), None)
    for name in [called] if called else loaders:
        command = loaders[name]()
        grouped = len(command.registered_commands) > 1 or command.registered_callback is not None
        app.add_typer(command, name=name if grouped else None)
    app()


def _loaders() -> dict[str, Callable[[], typer.Typer]]:
    """Return a loader of its `app` for each command, the product's own first."""

    def product(module: str) -> Callable[[], typer.Typer]:
        return lambda: cast(typer.Typer, import_module(f"paimon.gateway.cli.{module}").app)

    own = {name: product(module) for name, module in COMMANDS.items()}
    extra: dict[str, Callable[[], typer.Typer]] = {each.name: each.load for each in entry_points(group=EXTRA_COMMANDS)}
    return {**own, **{name: load for name, load in extra.items() if name not in own}}
