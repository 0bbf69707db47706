"""`paimon db`: bring the database to this version, and see where it stands."""

import asyncio

import typer

from paimon.gateway.cli.migrations import run_migrations
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.resources import opened_database
from paimon.infrastructure.database import version
from paimon.settings import load_settings

app = typer.Typer(help="The database: migrations.", no_args_is_help=True)


@app.command()
def upgrade(context: typer.Context) -> None:
    """Apply pending migrations as the owner of the tables, and give the application's role its rights."""
    with exit_on_error():
        reached = run_migrations(load_settings(context.obj))
        print(f"the database is at migration {reached}")


@app.command()
def check(context: typer.Context) -> None:
    """Exit with 2 unless the database is at this version's migrations."""
    with exit_on_error():
        settings = load_settings(context.obj)

        async def compare() -> None:
            async with opened_database(settings, process="db") as database:
                await version.require_current(database.engine)

        asyncio.run(compare())
        print(f"the database is at migration {version.head_revision()}, as this version needs")
