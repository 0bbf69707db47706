"""`paimon clear-signing`: write the descriptors by which wallets show in words what people sign."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from paimon.application.signed_actions.clear_signing import SigningPlace, clear_signing_files
from paimon.composition import fund_contracts, open_rpc, signing_rules
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error, exit_with_message
from paimon.infrastructure.blockchain.finality import chain_adapter, require_chain
from paimon.settings import Settings, load_settings

app = CommandApp()


@app.command("clear-signing")
def clear_signing_command(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", file_okay=False, help="The folder to write to. It is made if it is not there.")
    ],
) -> None:
    """Write a descriptor (ERC-7730) of each document that people sign, for wallets that show documents in words.

    The descriptors count for the chain and the contracts of the settings alone. The vault says which token the amounts are of.
    Files of the same names are replaced.
    """
    with exit_on_error():
        place = asyncio.run(_read_place(load_settings(context.obj)))
    for name, descriptor in clear_signing_files(place).items():
        _write(folder / name, json.dumps(descriptor, indent=2) + "\n")
    if not place.safes:
        print("none of Safe transactions: neither PAIMON_SENDING__WARM nor PAIMON_SENDING__COLD is set")


async def _read_place(settings: Settings) -> SigningPlace:
    """Read the place from the settings and the chain.

    Raises:
        ChainMismatch, ContractsMissing: the node or the addresses are not this fund's.
        RpcUnavailable, RpcError: the node does not answer.
    """
    chain, sending = settings.chain, settings.sending
    async with open_rpc(chain) as rpc:
        await require_chain(rpc, chain.chain_id)
        contracts = fund_contracts(rpc, settings)
        at = await chain_adapter(chain.chain_id, chain.finality).final_block(rpc)
        await contracts.require_deployed(at=at)
        asset = await contracts.read_one(contracts.vault.asset(), at=at)
    safes = tuple(safe for safe in (sending.warm, sending.cold) if safe is not None)
    return SigningPlace(signing_rules(settings).scope, asset, safes)


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    except OSError as error:
        exit_with_message(f"{file} cannot be written: {error.strerror or error}")
    print(file)
