"""The role of the tests' fixtures, `paimon_app`, and the roles of the processes.

No process has it: it is a member of every process's role, and may also write every table, since a fixture writes rows as the
listener and the workers would. What a process does in a test, it does as its own role (`acting_as`, `context_of`), so that the
ordinary suite finds a right that is missing.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import psycopg
from sqlalchemy import create_engine, text

from paimon.composition import AppContext
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.database.rights.table import SCHEMAS
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.database.sessions import create_engine as create_app_engine
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

APP: Final = "paimon_app"

WITHOUT_TRIGGERS: Final = text("SET LOCAL session_replication_role = 'replica'")
"""Lets the rest of a transaction change rows that are evidence, for a test that moves a row into the past or clears tables."""


def let_app_role_write_everything(owner_url: str) -> None:
    """Give `paimon_app` the four rights on every table of a migrated database, as the owner of the tables."""
    engine = create_engine(owner_url)
    try:
        with engine.begin() as connection:
            for schema in SCHEMAS:
                connection.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {APP}"))
    finally:
        engine.dispose()


def let_tests_change_evidence(server: EmbeddedPostgres) -> None:
    """Let `paimon_app` and the owner use WITHOUT_TRIGGERS, and `paimon_app` every row, as no role of production may."""
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        connection.execute(f"GRANT SET ON PARAMETER session_replication_role TO {APP}, paimon_owner")
        connection.execute(f"ALTER ROLE {APP} BYPASSRLS")


@asynccontextmanager
async def acting_as(role: DatabaseRole, database: Database, *, pool_size: int = 5) -> AsyncIterator[Database]:
    """Open the same database with sessions that have the rights of this process's role, and no others."""
    url = database.engine.url
    if url.username == APP:
        url = url.update_query_dict({"options": f"-c role={role.server_name('paimon_')}"})
    address = url.render_as_string(hide_password=False)
    own = Database(create_app_engine(address, pool_size=pool_size, connect_timeout_seconds=5, application_name=f"tests-{role}"))
    try:
        yield own
    finally:
        await own.close()


@asynccontextmanager
async def context_of(role: DatabaseRole, app_context: AppContext) -> AsyncIterator[AppContext]:
    """Yield the context of the process with this role: the same, with sessions that have its rights."""
    async with acting_as(role, app_context.database) as own:
        yield replace(app_context, database=own)
