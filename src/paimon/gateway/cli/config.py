"""`paimon config`: check the settings before a process starts with them."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer

from paimon.application.approval_policy.bounds import policy_bounds
from paimon.application.approval_policy.check_versions import list_faults
from paimon.composition import signing_rules
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error, exit_with_message, settings_for
from paimon.gateway.cli.resources import check_ready, opened_database
from paimon.gateway.signer.policy import PolicyError, SignerPolicy, load_policy
from paimon.gateway.signer.settings_check import find_differences
from paimon.settings import Settings

_PROCESS: Final = "config"

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
        bool, typer.Option("--connect", help="Also ask PostgreSQL, Redis and the node, and check the approval policy in force.")
    ] = False,
) -> None:
    """Check every setting. Nothing is changed; exit code 2 means that something is wrong."""
    with exit_on_error():
        settings = settings_for(context, _PROCESS)
        typer.echo("settings   complete and valid")
        if policy is not None:
            if differences := list(find_differences(settings, _load(policy))):
                exit_with_message(
                    "the settings and the signer's policy differ:\n" + "\n".join(f"  {line}" for line in differences)
                )
            typer.echo("policy     valid, agrees with the settings")
        if connect:
            if faults := asyncio.run(_check_services(settings)):
                exit_with_message("the approval policy in force has faults:\n" + "\n".join(f"  {fault}" for fault in faults))
            typer.echo("services   answer, the tables are of this version, the contracts are there")


async def _check_services(settings: Settings) -> list[str]:
    """Require that the services answer, and return what is wrong with the approval policy in force under these settings."""
    await check_ready(settings, process=_PROCESS)
    async with opened_database(settings, process=_PROCESS) as database, database.read() as session:
        return await list_faults(session, signing_rules(settings).scope, policy_bounds(settings))


def _load(path: Path) -> SignerPolicy:
    try:
        return load_policy(path)
    except PolicyError as error:
        exit_with_message(str(error))
