"""`paimon config`: check the settings before a process starts with them."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error, exit_with_message, settings_for
from paimon.gateway.cli.resources import check_ready
from paimon.gateway.signer.policy import PolicyError, SignerPolicy, load_policy
from paimon.gateway.signer.settings_check import find_differences

app = CommandApp(help="Check the settings, alone or against the signer's policy and the services.", no_args_is_help=True)


@app.callback()
def config() -> None:
    """Check the settings, alone or against the signer's policy and the services."""


@app.command()
def check(
    context: typer.Context,
    policy: Annotated[
        Path | None, typer.Option(help="The signer's policy file; it must agree with the settings.", show_default=False)
    ] = None,
    connect: Annotated[
        bool, typer.Option("--connect", help="Also ask PostgreSQL, Redis and the node, as each process does at its start.")
    ] = False,
) -> None:
    """Check every setting. Nothing is changed; exit code 2 means that something is wrong."""
    with exit_on_error():
        settings = settings_for(context, "config")
        typer.echo("settings   complete and valid")
        if policy is not None:
            if differences := list(find_differences(settings, _load(policy))):
                exit_with_message(
                    "the settings and the signer's policy differ:\n" + "\n".join(f"  {line}" for line in differences)
                )
            typer.echo("policy     valid, agrees with the settings")
        if connect:
            asyncio.run(check_ready(settings, process="config"))
            typer.echo("services   answer, the tables are of this version, the contracts are there")


def _load(path: Path) -> SignerPolicy:
    try:
        return load_policy(path)
    except PolicyError as error:
        exit_with_message(str(error))
