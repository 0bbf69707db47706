"""`paimon users`: who may sign in, and as what."""

import asyncio
from typing import Annotated

import typer
from sqlalchemy import select

from paimon.application.identity.users import seed_user
from paimon.domain.kernel.chain import InvalidAddress, checksum, parse_address
from paimon.domain.user.roles import UserRole
from paimon.gateway.cli.process import exit_on_error, exit_with_message
from paimon.gateway.cli.resources import opened_database
from paimon.infrastructure.database import version
from paimon.infrastructure.database.models.ops.user import UserRow
from paimon.settings import load_settings

app = typer.Typer(help="The people of the back office.", no_args_is_help=True)


@app.command()
def add(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="The wallet they sign in with.")],
    role: Annotated[UserRole, typer.Argument(help="What they may do here.")],
    name: Annotated[str, typer.Option(help="What to call them.")] = "",
) -> None:
    """Let a wallet sign in with a role, or change the role it has."""
    try:
        wallet = parse_address(address)
    except InvalidAddress as error:
        exit_with_message(str(error))
    with exit_on_error():
        settings = load_settings(context.obj)

        async def seed() -> None:
            async with opened_database(settings, process="users") as database:
                await version.require_current(database.engine)
                async with database.write() as session:
                    await seed_user(session, wallet, role, name)

        asyncio.run(seed())
    print(f"{checksum(wallet)} may sign in as {role}")


@app.command("list")
def list_users(context: typer.Context) -> None:
    """Everyone who may sign in."""
    with exit_on_error():
        settings = load_settings(context.obj)

        async def read() -> list[UserRow]:
            async with opened_database(settings, process="users") as database:
                await version.require_current(database.engine)
                async with database.read() as session:
                    return list(await session.scalars(select(UserRow).order_by(UserRow.created_at)))

        for user in asyncio.run(read()):
            print(f"{checksum(user.address)}  {user.role:<12} {user.name}")
