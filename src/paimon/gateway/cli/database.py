"""`paimon db`: migrate the database, give each process's role its rights, and check both."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer

from paimon.composition import open_database
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.migrations import grant_roles, missing_roles, run_migrations
from paimon.gateway.cli.process import exit_on_error, exit_with_message
from paimon.gateway.cli.resources import explain_unreachable
from paimon.infrastructure.database import version
from paimon.infrastructure.database.rights.check import differences
from paimon.infrastructure.database.rights.roles import DatabaseRole, create_statements
from paimon.settings import Settings, load_settings

app = CommandApp(help="Migrate the database, give the roles their rights, and check both.", no_args_is_help=True)

RevokeFrom = Annotated[
    list[str] | None,
    typer.Option("--revoke-from", metavar="ROLE", help="Another role that loses every right, such as a former one."),
]


@app.command()
def upgrade(context: typer.Context) -> None:
    """Apply pending migrations as the owner of the tables and grant every role its rights."""
    with exit_on_error():
        settings = load_settings(context.obj)
        reached = run_migrations(settings)
        print(f"the database is at migration {reached}")
        _print_missing(settings, missing_roles(settings))


@app.command("grant-roles")
def grant_roles_command(context: typer.Context, revoke_from: RevokeFrom = None) -> None:
    """Give every role exactly its rights, as the owner of the tables: after roles were made, or rights changed by hand."""
    with exit_on_error():
        settings = load_settings(context.obj)
        missing = grant_roles(settings, revoke_from=revoke_from or ())
        print(f"{len(DatabaseRole) - len(missing)} roles have their rights")
        _print_missing(settings, missing)


@app.command()
def check(context: typer.Context) -> None:
    """Check that the database is at this version's migrations, and that every role has the rights of this version.

    Exit with 2 if it is not.
    """
    with exit_on_error():
        settings = load_settings(context.obj)
        found = asyncio.run(_check(settings))
        print(f"the database is at migration {version.head_revision()}, as this version needs")
        if found:
            exit_with_message(
                "the rights differ from this version's; `paimon db grant-roles` grants them:\n"
                + "\n".join(f"  {line}" for line in found)
            )
        print("every role has exactly its rights")


async def _check(settings: Settings) -> list[str]:
    database = open_database(settings, process="db")
    try:
        with explain_unreachable():
            await version.require_current(database.engine)
            async with database.engine.connect() as connection:
                return await connection.run_sync(partial(differences, prefix=settings.database.role_prefix))
    finally:
        await database.close()


def _print_missing(settings: Settings, missing: Sequence[DatabaseRole]) -> None:
    if missing:
        print("these roles do not exist. An administrator makes them, then `paimon db grant-roles` grants their rights:")
        for statement in create_statements(settings.database.role_prefix, missing):
            print(f"  {statement}")
