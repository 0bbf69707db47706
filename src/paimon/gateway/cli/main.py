"""The `paimon` program: every process of the product, and the commands of an operator."""

import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer
from typer.main import get_command

from paimon.gateway.cli.command_app import CommandApp, RootGroup
from paimon.gateway.cli.usage_errors import describe_usage_error
from paimon.infrastructure.observability.logging import configure_logging

_HELP: Final = "Operations backend of Paimon Prime Fund."

app = CommandApp(help=_HELP, cls=RootGroup, no_args_is_help=True, add_completion=True)

EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file", envvar="PAIMON_ENV_FILE", help="File with settings, one PAIMON_… variable a line.", show_default=False
    ),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"paimon {version('paimon')}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")]


@app.callback()
def main(context: typer.Context, env_file: EnvFile = None, _version: Version = False) -> None:
    """Keep the settings file for the command and set up logging; a process sets up its own."""
    context.obj = env_file
    configure_logging(process="cli", level="warning", json_lines=False)


def run() -> None:
    """Run the `paimon` program. A command line that is not valid is one line on stderr and exit code 2."""
    _import_without_raising_recursion_limit()
    try:
        exit_code = get_command(app).main(prog_name="paimon", standalone_mode=False)
    except typer.TyperException as error:
        if message := describe_usage_error(error):
            typer.secho(f"paimon: {message}", fg="red", err=True)
        exit_code = error.exit_code
    except typer.Abort:
        typer.secho("paimon: not confirmed", fg="red", err=True)
        exit_code = 1
    sys.exit(exit_code)


def _import_without_raising_recursion_limit() -> None:
    """Import py_ecc, which eth-account needs, and take back what it does to Python's recursion limit.

    It raises the limit a hundredfold. Deeply nested JSON, which anyone may send, would then overflow the stack and end the
    process, where Python's own limit makes it an error.
    """
    limit = sys.getrecursionlimit()
    import_module("py_ecc")
    sys.setrecursionlimit(limit)
