"""Migration of a database to this version. The check that a process makes at its start is in `version`.

Migrations run as the owner of the tables; the application's own role may only read and write rows.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.engine import create_engine

from paimon.infrastructure.database.models import metadata
from paimon.infrastructure.database.version import (
    MIGRATIONS,
    current_revision,
    head_revision,
    require_server,
    require_shipped,
)
from paimon.infrastructure.timeseries.apply import SERIES, apply_timeseries
from paimon.settings import RetentionSettings


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    if connection is not None:
        config.attributes["connection"] = connection
    return config


_RETENTION: Final = RetentionSettings()


def upgrade(owner_url: str, *, app_role: str | None, revision: str = "head", retention: RetentionSettings = _RETENTION) -> str:
    """Apply pending migrations and the TimescaleDB set-up, grant the application's role its rights, and return the revision.

    All of it happens in one transaction.

    Raises:
        UnsupportedServer, DatabaseAhead, DatabaseTooOld.
    """
    engine = create_engine(owner_url)
    try:
        with engine.begin() as connection:
            require_server(connection)
            require_shipped(current_revision(connection))
            command.upgrade(_config(connection), revision)
            if at_head := current_revision(connection) == head_revision():
                apply_timeseries(connection, compress_after=timedelta(days=retention.compress_after_days))
            if app_role is not None:
                _grant(connection, app_role)
                if at_head:
                    _grant_retention(connection, app_role)
            return current_revision(connection) or ""
    finally:
        engine.dispose()


def _grant(connection: Connection, app_role: str) -> None:
    role = connection.dialect.identifier_preparer.quote(app_role)
    connection.execute(text(f"GRANT SELECT ON public.alembic_version TO {role}"))
    for schema in ("derived", "ops"):
        connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {role}"))
        connection.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"))
        connection.execute(text(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"))


def _grant_retention(connection: Connection, app_role: str) -> None:
    """Let the role delete rows of the time series only through the function that enforces the retention bounds."""
    role = connection.dialect.identifier_preparer.quote(app_role)
    for series in SERIES:
        connection.execute(text(f"REVOKE DELETE ON {series.table} FROM {role}"))
    connection.execute(text(f"GRANT EXECUTE ON FUNCTION ops.remove_expired(text, timestamptz, integer) TO {role}"))


def drift(owner_url: str) -> list[str]:
    """List the differences between the models and the migrated tables, one line each; empty if they agree."""
    engine = create_engine(owner_url)
    try:
        with engine.connect() as connection:
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
