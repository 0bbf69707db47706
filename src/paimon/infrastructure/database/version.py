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
    """The database lacks migrations of this version; the message has the command to run."""


class DatabaseAhead(StartupError):
    """The database is at a migration that this version does not have; the message says which version to run."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"the database is at migration {found}, which this version does not have (its newest is {head_revision()}):"
            " run the version that upgraded the database, or a newer one"
        )


class DatabaseOutlived(StartupError):
    """The database was made by migrations that are gone, so no version upgrades it; the message says what to do instead."""

    def __init__(self, found: str) -> None:
        self.what = f"the database is at migration {found} of a chain from before 0001_initial, which no version upgrades"
        super().__init__(
            f"{self.what}: take an empty database, run `paimon db upgrade`, and let the listener record the chain anew"
        )


class UnsupportedServer(StartupError):
    """The PostgreSQL server is older than this system supports."""


def shipped_revisions() -> list[str]:
    """This version's migrations, oldest first: each is called like its file, which begins with its number."""
    return sorted(file.stem for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def head_revision() -> str:
    """The newest migration of this version."""
    return shipped_revisions()[-1]


def require_server(connection: Connection) -> None:
    """Raises UnsupportedServer."""
    version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    if version < SERVER_VERSION_MIN:
        raise UnsupportedServer(f"PostgreSQL {version // 10_000} is too old; versions 16, 17 and 18 are supported")


def current_revision(connection: Connection) -> str | None:
    """The migration the database is at; None for one that never had any. It may be one that this version does not have."""
    if connection.execute(text("SELECT to_regclass('public.alembic_version')")).scalar() is None:
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM public.alembic_version")).scalar()
    return found


def require_shipped(found: str | None) -> None:
    """Raises DatabaseAhead or DatabaseOutlived unless `found` is a migration of this version, or none."""
    if found is None or found in shipped_revisions():
        return
    if found.isdigit():  # before 0001_initial a migration was called by its number alone
        raise DatabaseOutlived(found)
    raise DatabaseAhead(found)


async def require_current(engine: AsyncEngine) -> None:
    """Raises DatabaseBehind, DatabaseAhead or DatabaseOutlived unless the database is exactly at this version's migrations."""
    async with engine.connect() as connection:
        await connection.run_sync(require_server)
        found = await connection.run_sync(current_revision)
    require_shipped(found)
    if found != (wanted := head_revision()):
        raise DatabaseBehind(
            f"the database is at migration {found or 'none'}, this version needs {wanted}: run `paimon db upgrade`"
        )
