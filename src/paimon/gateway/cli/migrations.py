"""Run the migrations and grant the roles' rights from the command line, and explain every failure."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg.errors import LockNotAvailable
from sqlalchemy.exc import OperationalError, ProgrammingError

from paimon.errors import StartupError
from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.settings import Settings


class MigrationError(StartupError):
    """The migrations cannot run; the message says what to set or to grant."""


def run_migrations(settings: Settings) -> str:
    """Apply pending migrations as the owner of the tables and grant every role its rights.

    Return the revision reached.

    Raises:
        MigrationError, UnsupportedServer, DatabaseAhead, DatabaseTooOld.
    """
    with _explain_failures():
        prefix = settings.database.role_prefix
        return migrate.upgrade(owner_url(settings), role_prefix=prefix, retention=settings.retention)


def grant_roles(settings: Settings, *, revoke_from: Sequence[str] = ()) -> list[DatabaseRole]:
    """Grant every role its rights again, take all from other roles, and return the roles that do not exist.

    Raises:
        MigrationError, UnsupportedServer, DatabaseBehind, DatabaseAhead, DatabaseTooOld.
    """
    with _explain_failures():
        return migrate.grant_roles(owner_url(settings), role_prefix=settings.database.role_prefix, revoke_from=revoke_from)


def missing_roles(settings: Settings) -> list[DatabaseRole]:
    """Return the roles that the server does not have. Raises MigrationError."""
    with _explain_failures():
        return migrate.missing_roles(owner_url(settings), role_prefix=settings.database.role_prefix)


def owner_url(settings: Settings) -> str:
    """Return the URL of the owner of the tables. Raises MigrationError when it is not set."""
    if settings.database.owner_url is None:
        raise MigrationError("PAIMON_DATABASE__OWNER_URL is not set: migrations run as the owner of the tables")
    return settings.database.owner_url.get_secret_value()


@contextmanager
def _explain_failures() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if isinstance(error.orig, LockNotAvailable):
            raise MigrationError(
                "another session holds a lock on a table that a migration changes, and nothing was changed:"
                " stop the application's processes, then run `paimon db upgrade` again"
            ) from error
        raise MigrationError(f"PostgreSQL does not answer (PAIMON_DATABASE__OWNER_URL): {_first_line(error)}") from error
    except ProgrammingError as error:
        raise MigrationError(
            f"PostgreSQL refuses the migrations as PAIMON_DATABASE__OWNER_URL's role: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
