"""`paimon db`: migrate the database and check its version."""

import asyncio

import typer

from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.migrations import run_migrations
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.resources import opened_database
from paimon.infrastructure.database import version
from paimon.settings import load_settings

app = CommandApp(help="Migrate the database and check its version.", no_args_is_help=True)


@app.command()
def upgrade(context: typer.Context) -> None:
    """Apply pending migrations as the owner of the tables and grant the application's role its rights."""
    with exit_on_error():
        reached = run_migrations(load_settings(context.obj))
        print(f"the database is at migration {reached}")


@app.command()
def check(context: typer.Context) -> None:
    """Check that the database is at this version's migrations.

    Exit with 2 if it is not.
    """
    with exit_on_error():
        settings = load_settings(context.obj)

        async def require_current() -> None:
            async with opened_database(settings, process="db"):
                pass

        asyncio.run(require_current())
        print(f"the database is at migration {version.head_revision()}, as this version needs")
