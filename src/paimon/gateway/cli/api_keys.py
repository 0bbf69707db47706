"""`paimon api-keys`: list the API keys of a person, and revoke one. A person makes a key over the API, signed in."""

import asyncio
from typing import Annotated, Final
from uuid import UUID

import typer

from paimon.application.identity.api_keys import ApiKeyNotFound, list_keys, revoke_key
from paimon.domain.kernel.chain import Address, checksum
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.lists import Column, Table
from paimon.gateway.cli.process import address_argument, exit_on_error, exit_with_message
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.rest.views.api_keys import ApiKeysView, ApiKeyView
from paimon.settings import Settings, load_settings

app = CommandApp(help="List the API keys of a person, and revoke one.", no_args_is_help=True)


def _status(key: ApiKeyView) -> str:
    if key.revoked_at is not None:
        return "REVOKED"
    return "ACTIVE" if key.is_active else "EXPIRED"


_TABLE: Final[Table[ApiKeyView]] = Table(
    "API keys",
    (
        Column("KEY", lambda key: key.id),
        Column("STATUS", _status),
        Column("EXPIRES", lambda key: f"{key.expires_at:%Y-%m-%d}"),
        Column("LAST USED", lambda key: None if key.last_used_at is None else f"{key.last_used_at:%Y-%m-%d %H:%M}"),
        Column("RIGHTS", lambda key: ",".join(key.permissions)),
        Column("NETWORKS", lambda key: ",".join(key.networks) or None),
        Column("NAME", lambda key: key.name),
    ),
)


@app.command("list")
def list_command(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="The wallet of the person.")],
    as_json: AsJson = False,
) -> None:
    """List the API keys of a person, revoked ones too. Times are in UTC."""
    wallet = address_argument(address)
    with exit_on_error():
        found = asyncio.run(_list(load_settings(context.obj), wallet))
    if as_json:
        print_json(json_of(found))
    elif not found.items:
        print(f"{checksum(wallet)} has no API keys")
    else:
        print("\n".join(_TABLE.lines(found.items)))


@app.command()
def revoke(context: typer.Context, key: Annotated[UUID, typer.Argument(help="The id of the key.")]) -> None:
    """Revoke an API key: it counts for nothing from the next request on."""
    with exit_on_error():
        asyncio.run(_revoke(load_settings(context.obj), key))
    print(f"API key {key} is revoked")


async def _list(settings: Settings, wallet: Address) -> ApiKeysView:
    async with opened_database(settings, process="api-keys") as database:
        return ApiKeysView.of(*await list_keys(wallet, database=database, auth=settings.auth))


async def _revoke(settings: Settings, key: UUID) -> None:
    async with opened_database(settings, process="api-keys") as database:
        try:
            await revoke_key(key, None, database=database)
        except ApiKeyNotFound:
            exit_with_message(f"there is no API key {key} to revoke: `paimon api-keys list ADDRESS` shows them")
