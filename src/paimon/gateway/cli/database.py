"""`paimon db`: bring the database to this version, and see where it stands."""

import asyncio

import typer
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from paimon.composition import open_database
from paimon.gateway.cli.process import explained, refuse
from paimon.infrastructure.database import migrate
from paimon.settings import load_settings

app = typer.Typer(help="The database: migrations.", no_args_is_help=True)


@app.command()
def upgrade(context: typer.Context) -> None:
    """Apply pending migrations as the owner of the tables, and give the application's role its rights."""
    with explained():
        options = load_settings(context.obj).database
        if options.owner_url is None:
            refuse("PAIMON_DATABASE__OWNER_URL is not set: migrations run as the owner of the tables")
        app_role = make_url(options.url.get_secret_value()).username
        try:
            reached = migrate.upgrade(options.owner_url.get_secret_value(), app_role=app_role)
        except OperationalError as error:
            refuse(f"PostgreSQL does not answer (PAIMON_DATABASE__OWNER_URL): {str(error).splitlines()[0]}")
        print(f"the database is at migration {reached}")


@app.command()
def check(context: typer.Context) -> None:
    """Exit with 2 unless the database is at this version's migrations."""
    with explained():
        settings = load_settings(context.obj)

        async def compare() -> None:
            database = open_database(settings, process="db")
            try:
                await migrate.require_current(database.engine)
            except OperationalError as error:
                refuse(f"PostgreSQL does not answer (PAIMON_DATABASE__URL): {str(error).splitlines()[0]}")
            finally:
                await database.close()

        asyncio.run(compare())
        print(f"the database is at migration {migrate.head_revision()}, as this version needs")
