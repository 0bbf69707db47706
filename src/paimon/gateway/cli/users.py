"""`paimon users`: add and list the users who may sign in."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from paimon.application.identity.store import list_users, seed_user
from paimon.composition import open_users_database
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.user.roles import User, UserRole
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.process import address_argument, exit_on_error
from paimon.gateway.cli.resources import explain_unreachable, opened_database
from paimon.gateway.rest.views.accounts import UserView
from paimon.infrastructure.database import version
from paimon.settings import Settings, load_settings

app = CommandApp(help="Add and list the users who may sign in.", no_args_is_help=True)


@app.command()
def add(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="The wallet the user signs in with.")],
    role: Annotated[UserRole, typer.Argument(help="What the user may do.")],
    name: Annotated[str, typer.Option(help="The name to show.")] = "",
) -> None:
    """Add a user, or change the role and name of an existing one."""
    wallet = address_argument(address)
    with exit_on_error():
        asyncio.run(_add(load_settings(context.obj), wallet, role, name))
    print(f"{checksum(wallet)} may sign in as {role}")


@app.command("list")
def list_command(context: typer.Context, as_json: AsJson = False) -> None:
    """List every user who may sign in."""
    with exit_on_error():
        users = asyncio.run(_list(load_settings(context.obj)))
    if as_json:
        print_json({"items": [json_of(UserView.of(user)) for user in users]})
    elif not users:
        print("no users yet: `paimon users add` adds one")
    else:
        for user in users:
            print(f"{checksum(user.address)}  {user.role:<12} {user.name}")


async def _add(settings: Settings, wallet: Address, role: UserRole, name: str) -> None:
    database = open_users_database(settings)
    try:
        with explain_unreachable():
            await version.require_current(database.engine)
            async with database.write() as session:
                await seed_user(session, wallet, role, name)
    finally:
        await database.close()


async def _list(settings: Settings) -> Sequence[User]:
    async with opened_database(settings, process="users") as database, database.read() as session:
        return await list_users(session)
