"""`paimon signer`: hold the signing keys, and sign only what the policy and the votes allow."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.signer.process import run_signer
from paimon.infrastructure.observability.logging import configure_logging

app = CommandApp()


@app.command()
def signer(
    policy: Annotated[Path, typer.Option(help="The signer's own policy file: keys, contracts, limits.")],
    new_ledger: Annotated[
        bool, typer.Option("--new-ledger", help="Create an empty spend ledger. Refused if one exists.")
    ] = False,
) -> None:
    """Hold the signing keys. Sign only what the policy and the votes allow."""
    configure_logging(process="signer")
    with exit_on_error():
        asyncio.run(run_signer(policy, new_ledger=new_ledger))
