"""Whether the database is one that this version can work on: the server's age, and the migration it is at.

Every process asks this when it starts, so it is asked without Alembic, whose import takes a tenth of a start.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from paimon.errors import StartupError

SERVER_VERSION_MIN: Final = 160_000
MIGRATIONS: Final = Path(__file__).parent / "migrations"


class DatabaseBehind(StartupError):
    """The database is not at this version's migrations; the message has the command to run."""


class UnsupportedServer(StartupError):
    """The PostgreSQL server is older than this system supports."""


def head_revision() -> str:
    """The newest migration this version ships: their files begin with their numbers."""
    return max(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def require_server(connection: Connection) -> None:
    """Raises UnsupportedServer."""
    version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    if version < SERVER_VERSION_MIN:
        raise UnsupportedServer(f"PostgreSQL {version // 10_000} is too old; versions 16, 17 and 18 are supported")


def current_revision(connection: Connection) -> str | None:
    """The migration the database is at; None for one that never had any."""
    if connection.execute(text("SELECT to_regclass('public.alembic_version')")).scalar() is None:
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM public.alembic_version")).scalar()
    return found


async def require_current(engine: AsyncEngine) -> None:
    """Raises DatabaseBehind unless the database is exactly at this version's migrations."""
    async with engine.connect() as connection:
        await connection.run_sync(require_server)
        found = await connection.run_sync(current_revision)
    if found != (wanted := head_revision()):
        raise DatabaseBehind(
            f"the database is at migration {found or 'none'}, this version needs {wanted}: run `paimon db upgrade`"
        )
