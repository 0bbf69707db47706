"""Tests of the application role's rights, and of sessions: a reader has one snapshot, a writer one transaction."""

import psycopg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import InternalError, ProgrammingError
from tests.support.factories.rows import insert_row, rolled_back

from paimon.infrastructure.database.models.ops.lease import LeaseRow
from paimon.infrastructure.database.sessions import Database, SecondStatement, create_engine
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

NOT_FOR_THE_APPLICATION = [
    "CREATE TABLE derived.x (n int)",
    "CREATE TABLE ops.x (n int)",
    "CREATE TABLE public.x (n int)",
    "CREATE SCHEMA x",
    "CREATE EXTENSION pg_stat_statements",
    "ALTER TABLE ops.approval_records DROP COLUMN signature",
    "ALTER TABLE ops.approval_records DISABLE TRIGGER ALL",
    "ALTER TABLE derived.share_balances DROP CONSTRAINT ck_share_balances_shares_uint256",
    "DROP TABLE ops.approval_records",
    "DROP SCHEMA derived CASCADE",
    "DROP INDEX ops.uq_transaction_attempts_unacknowledged",
    "TRUNCATE ops.outbox",
    "TRUNCATE derived.raw_logs",
    "UPDATE public.alembic_version SET version_num = '0000'",
    "DELETE FROM public.alembic_version",
    "SET ROLE paimon_owner",
    "CREATE ROLE intruder",
    "COPY ops.user_grants TO PROGRAM 'cat'",
]


async def test_application_role_may_only_read_and_write_rows(database: Database) -> None:
    async with rolled_back(database) as session:
        for statement in NOT_FOR_THE_APPLICATION:
            with pytest.raises(ProgrammingError) as refusal:
                async with session.begin_nested():
                    await session.execute(text(statement))
            assert isinstance(refusal.value.orig, psycopg.errors.InsufficientPrivilege), statement


NOT_FOR_A_READER = [
    "INSERT INTO ops.leases VALUES ('x', 'tests', 1, now())",
    "UPDATE ops.outbox SET done_at = now()",
    "DELETE FROM derived.share_balances",
    "SELECT nextval('derived.observations_id_seq')",
    "SELECT 1 FROM ops.leases FOR UPDATE",
]


async def test_read_session_cannot_write(database: Database) -> None:
    for statement in NOT_FOR_A_READER:
        with pytest.raises(InternalError) as refusal:
            async with database.read() as session:
                await session.execute(text(statement))
        assert isinstance(refusal.value.orig, psycopg.errors.ReadOnlySqlTransaction), statement


async def test_closed_connection_is_replaced_before_use(app_url: str, postgres: EmbeddedPostgres) -> None:
    engine = create_engine(app_url, pool_size=1, connect_timeout_seconds=5, application_name="tests")
    database, backend = Database(engine), select(func.pg_backend_pid())
    async with database.read() as session:
        first = await session.scalar(backend)
    with psycopg.connect(postgres.admin_dsn, autocommit=True) as connection:
        assert connection.execute("SELECT pg_terminate_backend(%s, 5000)", (first,)).fetchone() == (True,)
    async with database.read() as session:
        assert await session.scalar(backend) != first
    await database.close()


async def test_queries_of_one_read_session_agree(database: Database) -> None:
    count = select(func.count()).select_from(LeaseRow)
    async with database.read() as reading:
        assert await reading.scalar(count) == 0
        async with database.write() as writing:
            await insert_row(writing, LeaseRow)
        assert await reading.scalar(count) == 0
    async with database.read() as reading:
        assert await reading.scalar(count) == 1


async def test_failed_write_leaves_nothing(database: Database) -> None:
    async with rolled_back(database) as session:
        await insert_row(session, LeaseRow)
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(LeaseRow)) == 0


async def test_single_statement_write_commits_itself_and_allows_one_statement(database: Database) -> None:
    add = text("INSERT INTO ops.leases (name, owner, epoch, expires_at) VALUES (:name, 'tests', 1, now())")
    async with database.write_single() as session:
        await session.execute(add, {"name": "first"})
        async with database.read() as other:
            assert (await other.execute(text("SELECT name FROM ops.leases"))).scalars().all() == ["first"]
        with pytest.raises(SecondStatement):
            await session.execute(add, {"name": "second"})
    async with database.read() as other:
        assert (await other.execute(text("SELECT count(*) FROM ops.leases"))).scalar_one() == 1
