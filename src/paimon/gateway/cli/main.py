"""`paimon …`: every process of the house, the database, the people, and a demo of all of it."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Final

import typer

from paimon.infrastructure.observability.logging import configure_logging

COMMANDS: Final = {
    "api": "api",
    "listener": "listener",
    "worker": "worker",
    "scheduler": "scheduler",
    "signer": "signer",
    "db": "database",
    "users": "people",
    "status": "status",
    "desk": "desk",
    "outbox": "outbox",
    "quarantine": "quarantine",
    "reconcile": "reconcile",
    "replay": "replay",
    "audit-chain": "audit_chain",
    "recover": "recover",
    "snapshot": "snapshot",
    "nav": "nav",
    "demo": "demo.commands",
    "walk": "demo.walk_command",
    "market": "market.command",
}
"""Each command and the module that holds its `app`."""

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
    """Entry point of the `paimon` program.

    Only the command that was called is imported: a signer that is started again must not wait for the API to load.
    """
    called = next((argument for argument in sys.argv[1:] if argument in COMMANDS), None)
    for name in [called] if called else COMMANDS:
        command: typer.Typer = import_module(f"paimon.gateway.cli.{COMMANDS[name]}").app
        grouped = len(command.registered_commands) > 1 or command.registered_callback is not None
        app.add_typer(command, name=name if grouped else None)
    app()
