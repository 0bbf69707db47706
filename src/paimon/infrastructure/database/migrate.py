"""Migration of a database to this version. The check that a process makes at its start is in `version`.

Migrations run as the owner of the tables. The processes' roles may only read and write rows, each what it needs.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.engine import create_engine
from sqlalchemy.exc import SAWarning

from paimon.infrastructure.database.models import metadata
from paimon.infrastructure.database.rights.apply import apply_rights, find_missing
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.version import (
    MIGRATIONS,
    current_revision,
    head_revision,
    require_head,
    require_server,
    require_shipped,
)
from paimon.infrastructure.timeseries.apply import apply_timeseries
from paimon.settings import DatabaseSettings, RetentionSettings


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    if connection is not None:
        config.attributes["connection"] = connection
    return config


_RETENTION: Final = RetentionSettings()
_ROLE_PREFIX: Final[str] = DatabaseSettings.model_fields["role_prefix"].default


def upgrade(
    owner_url: str, *, role_prefix: str = _ROLE_PREFIX, revision: str = "head", retention: RetentionSettings = _RETENTION
) -> str:
    """Apply pending migrations, the TimescaleDB set-up and the rights of every role, and return the revision.

    All of it happens in one transaction. A role that does not exist gets nothing: see `missing_roles`.

    Raises:
        UnsupportedServer, DatabaseAhead, DatabaseTooOld.
    """
    with _owner_transaction(owner_url) as connection:
        require_server(connection)
        require_shipped(current_revision(connection))
        command.upgrade(_config(connection), revision)
        if current_revision(connection) == head_revision():
            apply_timeseries(connection, compress_after=timedelta(days=retention.compress_after_days))
            apply_rights(connection, prefix=role_prefix)
        return current_revision(connection) or ""


def grant_roles(owner_url: str, *, role_prefix: str = _ROLE_PREFIX, revoke_from: Iterable[str] = ()) -> list[DatabaseRole]:
    """Give every role exactly its rights in a database of this version, and return the roles that do not exist.

    Raises:
        UnsupportedServer, DatabaseBehind, DatabaseAhead, DatabaseTooOld.
    """
    with _owner_transaction(owner_url) as connection:
        require_server(connection)
        require_head(current_revision(connection))
        return apply_rights(connection, prefix=role_prefix, revoke_from=revoke_from)


def missing_roles(owner_url: str, *, role_prefix: str = _ROLE_PREFIX) -> list[DatabaseRole]:
    """Return the roles that the server does not have."""
    with _owner_transaction(owner_url) as connection:
        return find_missing(connection, prefix=role_prefix)


@contextmanager
def _owner_transaction(owner_url: str) -> Iterator[Connection]:
    engine = create_engine(owner_url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def drift(owner_url: str) -> list[str]:
    """List the differences between the models and the migrated tables, one line each; empty if they agree."""
    engine = create_engine(owner_url)
    try:
        with engine.connect() as connection, warnings.catch_warnings():
            # SQLAlchemy reads a check that is not validated yet, and warns that it does not know the dialect of that.
            warnings.filterwarnings("ignore", "Can't validate argument 'dialect_options'", SAWarning)
            options = {
                "include_schemas": True,
                "include_name": _include_name,
                "compare_type": True,
                "version_table_schema": "public",
            }
            return [str(change) for change in compare_metadata(MigrationContext.configure(connection, opts=options), metadata)]
    finally:
        engine.dispose()


_include_name: Callable[[str | None, str, object], bool] = lambda name, kind, _parents: (  # noqa: E731 — Alembic's hook
    kind != "schema" or name in ("derived", "ops")
)
