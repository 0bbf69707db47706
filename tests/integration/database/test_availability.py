"""Tests of a database that is away: the error says so, and the connection is replaced."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, InternalError

from paimon.infrastructure.database.availability import DatabaseFault, DatabaseUnavailable, sqlstate_fault
from paimon.infrastructure.database.bulk_copy import copy_rows
from paimon.infrastructure.database.models.ops.lease import LeaseRow
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

_WRITE = text("UPDATE ops.leases SET owner = 'tests'")


@pytest.fixture
async def one_connection(app_url: str) -> AsyncIterator[Database]:
    """Open a database with one connection: its backend's process id shows whether it was replaced."""
    opened = Database(create_engine(app_url, pool_size=1, connect_timeout_seconds=5, application_name="tests"))
    yield opened
    await opened.close()


async def backend_pid(database: Database) -> int:
    async with database.write() as session:
        return int((await session.execute(select(func.pg_backend_pid()))).scalar_one())


async def write(database: Database) -> None:
    async with database.write() as session:
        await session.execute(_WRITE)


async def write_single(database: Database) -> None:
    async with database.write_single() as session:
        await session.execute(_WRITE)


async def copy(database: Database) -> None:
    async with database.write() as session:
        await copy_rows(session, LeaseRow, ("name", "owner", "epoch", "expires_at"), [("x", "tests", 1, datetime.now(UTC))])
        await session.rollback()


async def require_writable(database: Database) -> None:
    await database.require_writable()


@contextmanager
def reloaded_as_read_only(postgres: EmbeddedPostgres) -> Iterator[None]:
    """Make the server refuse writes in every session, also in those that are open."""
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        connection.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("attempt", [write, write_single, copy, require_writable], ids=lambda attempt: attempt.__name__)
async def test_kept_connection_is_replaced_when_writes_are_refused(
    one_connection: Database,
    postgres: EmbeddedPostgres,
    eventually: Callable[..., Any],
    attempt: Callable[[Database], Awaitable[None]],
) -> None:
    async def is_refused() -> bool:
        try:
            await attempt(one_connection)
        except DatabaseUnavailable:
            return True
        return False

    before = await backend_pid(one_connection)
    with reloaded_as_read_only(postgres):
        await eventually(is_refused)
        assert await backend_pid(one_connection) != before
        with pytest.raises(DatabaseUnavailable) as refusal:
            await attempt(one_connection)
        assert isinstance(refusal.value.orig, psycopg.errors.ReadOnlySqlTransaction)


async def test_write_succeeds_at_once_when_the_database_takes_writes_again(
    one_connection: Database, postgres: EmbeddedPostgres, database_name: str
) -> None:
    """A connection that was opened as read-only stays so; only another one can write."""
    alter = sql.SQL("ALTER DATABASE {} {} default_transaction_read_only")
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        name = sql.Identifier(database_name)
        connection.execute(sql.SQL("{} = on").format(alter.format(name, sql.SQL("SET"))))
        with pytest.raises(DatabaseUnavailable):
            await write(one_connection)
        connection.execute(alter.format(name, sql.SQL("RESET")))
    await write(one_connection)


SQLSTATES = [
    *("25006", "57P01", "57P02", "57P03", "08000", "08006", "08P01", "08QQQ", "53100", "53200", "53300", "53ZZZ", "58030"),
    *("40001", "40P01", "55P03", "57014"),
    *("22003", "23505", "42601", "42P01", "54001", "XX000", "QQ123"),
]


@pytest.mark.parametrize("sqlstate", SQLSTATES)
async def test_connection_is_replaced_when_its_error_says_away(one_connection: Database, sqlstate: str) -> None:
    """The server raises the error itself, also with codes that the driver does not know. It breaks no connection."""
    before = await backend_pid(one_connection)
    with pytest.raises(DBAPIError) as failure:
        async with one_connection.write() as session:
            await session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{sqlstate}'; END $$"))
    is_away = sqlstate_fault(sqlstate) is DatabaseFault.AWAY
    assert isinstance(failure.value, DatabaseUnavailable) == is_away
    assert (await backend_pid(one_connection) != before) == is_away


async def test_write_in_a_read_session_is_a_defect_and_keeps_the_connection(one_connection: Database) -> None:
    before = await backend_pid(one_connection)
    with pytest.raises(InternalError):
        async with one_connection.read() as session:
            await session.execute(_WRITE)
    assert await backend_pid(one_connection) == before
