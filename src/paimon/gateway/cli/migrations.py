"""Run the migrations from the command line and explain every failure."""

from psycopg.errors import LockNotAvailable
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError, ProgrammingError

from paimon.errors import StartupError
from paimon.infrastructure.database import migrate
from paimon.settings import Settings


class MigrationError(StartupError):
    """The migrations cannot run; the message says what to set or to grant."""


def run_migrations(settings: Settings) -> str:
    """Apply pending migrations as the owner of the tables and grant the application's role its rights.

    Return the revision reached.

    Raises:
        MigrationError, UnsupportedServer, DatabaseAhead, DatabaseTooOld.
    """
    options = settings.database
    if options.owner_url is None:
        raise MigrationError("PAIMON_DATABASE__OWNER_URL is not set: migrations run as the owner of the tables")
    app_role = make_url(options.url.get_secret_value()).username
    try:
        return migrate.upgrade(options.owner_url.get_secret_value(), app_role=app_role, retention=settings.retention)
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
