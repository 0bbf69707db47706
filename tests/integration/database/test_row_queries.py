"""Tests of row queries: their results, their errors, and the state of the pool after them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Select, bindparam, column, delete, func, select, table, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from tests.support.factories.rows import insert_row, rolled_back
from tests.support.factories.strategies import address

from paimon.application.identity.store import USER_RECORD
from paimon.application.redemptions.store import REDEMPTION, find_redemption
from paimon.domain.user.roles import User, UserRole
from paimon.infrastructure.database.clock import DATABASE_NOW
from paimon.infrastructure.database.models.derived import RedemptionRequestRow
from paimon.infrastructure.database.models.ops.lease import LeaseRow
from paimon.infrastructure.database.models.ops.user import FirstSuperAdminRow, UserGrantRow
from paimon.infrastructure.database.row_query import InvalidRowQuery, RowQuery
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

LEASES: Final = select(func.count().label("leases")).select_from(LeaseRow)
BACKEND: Final = RowQuery(select(func.pg_backend_pid().label("pid")), lambda row: int(row.pid))
SLEEP: Final = RowQuery(select(func.pg_sleep(bindparam("seconds")).label("slept")), lambda row: bool(row))

NOTHING_THERE: Final = RowQuery(select(column("secret")).select_from(table("nothing", schema="ops")), lambda row: row)


@pytest.fixture
async def single(app_url: str) -> AsyncIterator[Database]:
    """A database with one connection, so that the next query gets the connection used before."""
    engine = create_engine(app_url, pool_size=1, connect_timeout_seconds=5, application_name="tests-row-queries")
    database = Database(engine)
    yield database
    await database.close()


async def test_row_query_returns_what_a_session_returns(database: Database) -> None:
    request_id = 2**255
    async with database.write() as session:
        await insert_row(session, RedemptionRequestRow, request_id=request_id)
    async with database.read() as session:
        known = await find_redemption(session, request_id)
    assert known is not None
    assert await database.find(REDEMPTION, request_id=request_id) == known
    assert await database.find(REDEMPTION, request_id=2**256 - 1) is None


async def test_user_query_returns_clock_and_head_even_without_session(database: Database) -> None:
    async with database.write() as session:
        await insert_row(session, FirstSuperAdminRow, address=address(1), name="Ada")
        await insert_row(session, UserGrantRow)
    before, found = await database.find(DATABASE_NOW), await database.find(USER_RECORD, address=address(2), session=UUID(int=0))
    assert before is not None
    assert found is not None
    assert found.session is None
    assert (found.head.first, found.head.grants) == (User(address(1), UserRole.SUPER_ADMIN, "Ada"), 1)
    assert before <= found.now


INVALID_QUERIES: Final[list[Any]] = [
    delete(LeaseRow),
    text("SELECT 1"),
    select(LeaseRow.owner).with_for_update(),
    select(LeaseRow.owner).where(LeaseRow.name.in_(["a", "b"])),
]


@pytest.mark.parametrize("query", INVALID_QUERIES, ids=str)
def test_row_query_refuses_other_statements_than_select_at_import(query: Select[Any]) -> None:
    with pytest.raises(InvalidRowQuery):
        RowQuery(query, lambda row: row)


@pytest.mark.parametrize("values", [{}, {"request": 1}, {"request_id": 1, "owner": b""}], ids=str)
async def test_row_query_requires_exactly_its_parameters(database: Database, values: dict[str, object]) -> None:
    with pytest.raises(InvalidRowQuery, match="request_id"):
        await database.find(REDEMPTION, **values)


async def test_session_after_row_query_is_a_transaction_again(single: Database) -> None:
    backend = await single.find(BACKEND)
    async with rolled_back(single) as session:
        assert await session.scalar(select(func.pg_backend_pid())) == backend
        await insert_row(session, LeaseRow)
    assert await single.find(RowQuery(LEASES, lambda row: row.leases)) == 0


async def test_failed_row_query_raises_like_session_and_drops_its_connection(single: Database) -> None:
    first = await single.find(BACKEND)
    with pytest.raises(ProgrammingError) as failure:
        await single.find(NOTHING_THERE)
    assert isinstance(failure.value.orig, psycopg.errors.UndefinedTable)
    assert await single.find(BACKEND) != first


async def test_cancelled_row_query_leaves_no_answer_for_the_next(single: Database, database: Database) -> None:
    first = await single.find(BACKEND)
    task = asyncio.create_task(single.find(SLEEP, seconds=60.0))
    await asyncio.sleep(0)  # lets the task take the only connection
    await _wait_until_asleep(database, first)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    second = await single.find(BACKEND)
    assert second is not None
    assert second != first


async def _wait_until_asleep(database: Database, backend: int | None) -> None:
    """Wait until this connection's server process sleeps."""
    waits = text("SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = :pid")
    async with asyncio.timeout(10):
        while True:
            async with database.write() as session:
                if await session.scalar(waits, {"pid": backend}):
                    return
            await asyncio.sleep(0.01)


async def test_closed_connection_is_replaced_before_row_query(single: Database, postgres: EmbeddedPostgres) -> None:
    first = await single.find(BACKEND)
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        assert connection.execute("SELECT pg_terminate_backend(%s, 5000)", (first,)).fetchone() == (True,)
    assert await single.find(BACKEND) not in (None, first)


async def test_missing_server_is_an_operational_error() -> None:
    url = "postgresql+psycopg://app@127.0.0.1:1/nothing"
    database = Database(create_engine(url, pool_size=1, connect_timeout_seconds=2, application_name="tests"))
    with pytest.raises(OperationalError):
        await database.find(DATABASE_NOW)
    await database.close()
