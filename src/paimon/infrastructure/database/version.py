"""Check that this version can work on the database: the server's version and the database's migration.

Every process makes this check at its start. It does not import Alembic, which would take a tenth of the start's time.
"""

import re
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from paimon.errors import StartupError

SUPPORTED_MAJORS: Final = (16, 17, 18)
"""The major versions of PostgreSQL that the tests run on. A newer one is not refused."""
MIGRATIONS: Final = Path(__file__).parent / "migrations"


class DatabaseBehind(StartupError):
    """The database lacks migrations of this version. The message names the command to run."""


class DatabaseAhead(StartupError):
    """The database is at a migration that this version does not have. The message says which version to run."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"the database is at migration {found}, which this version does not have (its newest is {head_revision()}):"
            " run the version that upgraded the database, or a newer one"
        )


class DatabaseTooOld(StartupError):
    """The database was made by migrations that were removed, so it cannot be upgraded. The message says what to do instead."""

    def __init__(self, found: str) -> None:
        self.what = f"the database is at migration {found} of a chain from before 0001_initial, which no version upgrades"
        super().__init__(
            f"{self.what}: take an empty database, run `paimon db upgrade`, and let the listener record the chain anew"
        )


class UnsupportedServer(StartupError):
    """The PostgreSQL server is older than the supported versions. The message names both."""

    def __init__(self, found: str) -> None:
        *others, newest = (str(major) for major in SUPPORTED_MAJORS)
        super().__init__(
            f"the server is PostgreSQL {found}, which is too old; versions {', '.join(others)} and {newest} are supported"
        )


def shipped_revisions() -> list[str]:
    """List this version's migrations, oldest first. A revision has the name of its file, which begins with its number."""
    return sorted(file.stem for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def head_revision() -> str:
    """Return the newest migration of this version."""
    return shipped_revisions()[-1]


def require_supported(server_version: str) -> None:
    """Check a server's version as it states it, such as `15.14 (Debian 15.14-0+deb12u1)`. Raises UnsupportedServer."""
    major = re.match(r"\d+", server_version)
    if major is None or int(major[0]) < SUPPORTED_MAJORS[0]:
        raise UnsupportedServer(server_version)


def require_server(connection: Connection) -> None:
    """Check the server's version. Raises UnsupportedServer."""
    require_supported(connection.execute(text("SHOW server_version")).scalar_one())


def current_revision(connection: Connection) -> str | None:
    """Return the database's migration, which this version may not have; None for a database without migrations."""
    if connection.execute(text("SELECT to_regclass('public.alembic_version')")).scalar() is None:
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM public.alembic_version")).scalar()
    return found


def require_shipped(found: str | None) -> None:
    """Check that this version has the migration `found`, or that there is none. Raises DatabaseAhead or DatabaseTooOld."""
    if found is None or found in shipped_revisions():
        return
    if found.isdigit():  # before 0001_initial a revision was a number alone
        raise DatabaseTooOld(found)
    raise DatabaseAhead(found)


async def require_current(engine: AsyncEngine) -> None:
    """Check that the database is at this version's newest migration.

    Raises:
        UnsupportedServer, DatabaseBehind, DatabaseAhead, DatabaseTooOld.
    """
    async with engine.connect() as connection:
        await connection.run_sync(require_server)
        found = await connection.run_sync(current_revision)
    require_head(found)


def require_head(found: str | None) -> None:
    """Check that `found` is this version's newest migration. Raises DatabaseBehind, DatabaseAhead or DatabaseTooOld."""
    require_shipped(found)
    if found != (head := head_revision()):
        raise DatabaseBehind(
            f"the database is at migration {found or 'none'}, this version needs {head}: run `paimon db upgrade`"
        )
