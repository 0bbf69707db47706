"""Bringing a database to this version, and refusing to work on one that is not.

Migrations run as the owner of the tables; the application's own role may only read and write rows.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import create_engine
from sqlalchemy.ext.asyncio import AsyncEngine

from paimon.infrastructure.database.models import metadata
from paimon.infrastructure.timeseries.apply import SERIES, apply_timeseries
from paimon.settings import Refusal, RetentionSettings

_HERE: Final = Path(__file__).parent
SERVER_VERSION_MIN: Final = 160_000


class DatabaseBehind(Refusal):
    """The database is not at this version's migrations; the message has the command to run."""


class UnsupportedServer(Refusal):
    """The PostgreSQL server is older than this system supports."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE / "migrations"))
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def head_revision() -> str:
    """The newest migration this version ships."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError("no migrations are shipped with this version")
    return head


_RETENTION: Final = RetentionSettings()


def upgrade(owner_url: str, *, app_role: str | None, revision: str = "head", retention: RetentionSettings = _RETENTION) -> str:
    """Apply pending migrations and what TimescaleDB has for the time series, and give the application's role its rights,
    in one transaction; the revision reached.
    """
    engine = create_engine(owner_url)
    try:
        with engine.begin() as connection:
            _require_server(connection)
            command.upgrade(_config(connection), revision)
            if at_head := _current(connection) == head_revision():
                apply_timeseries(connection, compress_after=timedelta(days=retention.compress_after_days))
            if app_role is not None:
                _grant(connection, app_role)
                if at_head:
                    _grant_retention(connection, app_role)
            return MigrationContext.configure(connection, opts={"version_table_schema": "public"}).get_current_revision() or ""
    finally:
        engine.dispose()


def _grant(connection: Connection, app_role: str) -> None:
    role = connection.dialect.identifier_preparer.quote(app_role)
    connection.execute(text(f"GRANT SELECT ON public.alembic_version TO {role}"))
    for schema in ("derived", "owned"):
        connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {role}"))
        connection.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"))
        connection.execute(text(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"))


def _grant_retention(connection: Connection, app_role: str) -> None:
    """Rows of the time series go by one function only, which knows its bounds."""
    role = connection.dialect.identifier_preparer.quote(app_role)
    for series in SERIES:
        connection.execute(text(f"REVOKE DELETE ON {series.table} FROM {role}"))
    connection.execute(text(f"GRANT EXECUTE ON FUNCTION owned.remove_expired(text, timestamptz, integer) TO {role}"))


def _require_server(connection: Connection) -> None:
    version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    if version < SERVER_VERSION_MIN:
        raise UnsupportedServer(f"PostgreSQL {version // 10_000} is too old; versions 16, 17 and 18 are supported")


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table_schema": "public"}).get_current_revision()


async def require_current(engine: AsyncEngine) -> None:
    """Raises DatabaseBehind unless the database is exactly at this version's migrations."""
    async with engine.connect() as connection:
        await connection.run_sync(_require_server)
        found = await connection.run_sync(_current)
    if found != (wanted := head_revision()):
        raise DatabaseBehind(
            f"the database is at migration {found or 'none'}, this version needs {wanted}: run `paimon db upgrade`"
        )


def drift(owner_url: str) -> list[str]:
    """What the models say and the migrated tables do not, one line each; empty when they agree."""
    engine = create_engine(owner_url)
    try:
        with engine.connect() as connection:
            options = {
                "include_schemas": True,
                "include_name": _our_schemas,
                "compare_type": True,
                "version_table_schema": "public",
            }
            return [str(each) for each in compare_metadata(MigrationContext.configure(connection, opts=options), metadata)]
    finally:
        engine.dispose()


_our_schemas: Callable[[str | None, str, object], bool] = lambda name, kind, _parents: (  # noqa: E731 — Alembic's hook
    kind != "schema" or name in ("derived", "owned")
)
