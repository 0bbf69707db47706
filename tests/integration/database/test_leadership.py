"""Tests of leadership: a process works while it holds the lease, stops when it loses it, and resumes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from sqlalchemy import literal, select, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from tests.support.scenarios.listener_hosts import InterruptibleListener

from paimon.infrastructure.database.bulk_copy import driver_connection
from paimon.infrastructure.database.leadership import run_as_leader
from paimon.infrastructure.database.leases import HeldLease, fence, try_acquire
from paimon.infrastructure.database.models.ops.lease import LeaseRow
from paimon.infrastructure.database.sessions import Database
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

NAME = "scheduler"
TTL, RENEW = 0.6, 0.2


@dataclass
class Work:
    """Work under the lease that records its starts and its ends."""

    running: list[int] = field(default_factory=list)
    started: list[int] = field(default_factory=list)

    async def __call__(self, lease: HeldLease) -> None:
        self.started.append(lease.epoch)
        self.running.append(lease.epoch)
        try:
            await asyncio.Event().wait()
        finally:
            self.running.remove(lease.epoch)


@asynccontextmanager
async def leading(database: Database, work: Callable[[HeldLease], Awaitable[None]]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(run_as_leader(database, NAME, work, ttl_seconds=TTL, renew_seconds=RENEW))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def count_of(items: list[int], number: int) -> Callable[[], Any]:
    async def reached() -> bool:
        return len(items) == number

    return reached


async def test_work_continues_while_lease_is_renewed(database: Database, eventually: Callable[..., Any]) -> None:
    work = Work()
    async with leading(database, work):
        await eventually(count_of(work.running, 1))
        await asyncio.sleep(2 * TTL)
        assert work.started == work.running == [1]


async def test_standby_takes_over_at_once_when_holder_ends(database: Database, eventually: Callable[..., Any]) -> None:
    first, second = Work(), Work()
    async with leading(database, second):
        await eventually(count_of(second.running, 1))
        async with leading(database, first):
            await asyncio.sleep(2 * RENEW)
            assert first.started == []
    assert second.running == []
    async with leading(database, first):
        await eventually(count_of(first.running, 1), seconds_max=TTL)
        assert first.started == [2]


async def test_holder_stops_work_and_stands_by_after_losing_lease(database: Database, eventually: Callable[..., Any]) -> None:
    work = Work()
    async with leading(database, work) as task:
        await eventually(count_of(work.running, 1))
        async with database.write() as session:
            await session.execute(
                text("UPDATE ops.leases SET owner = 'other', epoch = epoch + 1, expires_at = now() + interval '1 second'")
            )
        await eventually(count_of(work.running, 0))
        assert not task.done()
        await eventually(count_of(work.running, 1))
        assert work.started == [1, 3]


async def test_holder_stops_work_before_expiry_when_renewal_hangs(database: Database, eventually: Callable[..., Any]) -> None:
    """This is like a network that drops packets: the holder gets no error when its lease expires."""
    work = Work()
    async with leading(database, work):
        await eventually(count_of(work.running, 1))
        async with database.write() as session:
            await session.execute(select(LeaseRow).with_for_update())
            await eventually(count_of(work.running, 0), seconds_max=3 * TTL)
        await eventually(count_of(work.running, 1))
        assert work.started == [1, 2]


async def test_fenced_work_stands_by(database: Database, eventually: Callable[..., Any]) -> None:
    fenced: list[int] = []

    async def write_repeatedly(lease: HeldLease) -> None:
        while True:
            async with database.write() as session:
                await fence(session, lease)
            fenced.append(lease.epoch)
            await asyncio.sleep(0.02)

    async def reached(epoch: int) -> bool:
        return epoch in fenced

    async with leading(database, write_repeatedly):
        await eventually(lambda: reached(1))
        async with database.write() as session:
            await session.execute(text("UPDATE ops.leases SET epoch = epoch + 1, expires_at = now() - interval '1 second'"))
        await eventually(lambda: reached(3))
    assert fenced == sorted(fenced)
    assert 2 not in fenced


async def test_work_that_ends_is_restarted(database: Database, eventually: Callable[..., Any]) -> None:
    runs: list[int] = []

    async def end_at_once(lease: HeldLease) -> None:
        runs.append(lease.epoch)

    async with leading(database, end_at_once):
        await eventually(count_of(runs, 2))
        assert runs == [1, 2]  # with a pause between the two


async def test_startup_error_of_work_ends_process_and_frees_lease(database: Database) -> None:
    async def fail(_lease: HeldLease) -> None:
        raise ArithmeticError("an operator must look")

    with pytest.raises(ArithmeticError, match="an operator must look"):
        await run_as_leader(database, NAME, fail, ttl_seconds=30, renew_seconds=10)
    assert await try_acquire(database, NAME, "successor", ttl_seconds=30) is not None


async def test_work_stops_when_database_is_lost_and_restarts_when_back(
    database: Database, database_name: str, postgres: EmbeddedPostgres, eventually: Callable[..., Any]
) -> None:
    work = Work()
    async with leading(database, work) as task:
        await eventually(count_of(work.running, 1))
        with psycopg.connect(postgres.admin_dsn, autocommit=True) as admin:
            admin.execute(f"ALTER DATABASE {database_name} ALLOW_CONNECTIONS false")
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database_name])
            await eventually(count_of(work.running, 0))
            assert not task.done()
            admin.execute(f"ALTER DATABASE {database_name} ALLOW_CONNECTIONS true")
        await eventually(count_of(work.running, 1))
        assert work.started == [1, 2]


async def test_work_that_loses_database_during_copy_is_restarted(database: Database, eventually: Callable[..., Any]) -> None:
    """The listener's COPY uses the driver directly, so its errors are not wrapped by SQLAlchemy."""
    runs: list[int] = []

    async def lose_the_connection(lease: HeldLease) -> None:
        runs.append(lease.epoch)
        if len(runs) == 1:
            async with database.write() as session:
                pid = await session.scalar(text("SELECT pg_backend_pid()"))
                driver = (await (await session.connection()).get_raw_connection()).driver_connection
                assert isinstance(driver, psycopg.AsyncConnection)
                async with driver.cursor() as cursor, cursor.copy("COPY ops.leases FROM STDIN") as copy:
                    async with database.write() as other:
                        await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
                    await asyncio.sleep(0.1)
                    await copy.write(b"x")
        await asyncio.Event().wait()

    async with leading(database, lose_the_connection):
        await eventually(count_of(runs, 2))


async def stuck_in_copy(database: Database) -> None:
    """Bring a transaction into the state of a COPY that was cancelled at its start: ROLLBACK fails in it."""
    async with database.write() as session:
        driver = await driver_connection(session)
        driver.pgconn.exec_(b"COPY derived.blocks (number) FROM STDIN")
        await asyncio.Event().wait()


async def test_cancelled_copy_raises_cancellation(database: Database) -> None:
    task = asyncio.create_task(stuck_in_copy(database))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as stopped:
        await asyncio.wait_for(task, 5)
    assert "another command is already in progress" in str(stopped.value.__cause__), "the rollback failed"
    async with database.read() as session:
        assert await session.scalar(select(1)) == 1, "the pool dropped that connection and has others"


async def write_several_rows(database: Database) -> None:
    """Insert several rows at once, which uses the driver's pipeline."""
    rows = [{"name": f"lease-{number}", "owner": "tests", "epoch": 1} for number in range(3)]
    async with database.write() as session:
        await session.execute(
            text("INSERT INTO ops.leases (name, owner, epoch, expires_at) VALUES (:name, :owner, :epoch, now())"), rows
        )
        await session.rollback()


async def test_cancellation_at_any_wait_leaves_no_unread_answers(
    database: Database,
) -> None:
    counted = InterruptibleListener(write_several_rows(database))
    await counted
    assert counted.waits > 5
    for number in range(1, counted.waits + 1):
        insert = InterruptibleListener(write_several_rows(database), cancel_at=number)
        insert.task = asyncio.create_task(wait_for(insert))
        with suppress(asyncio.CancelledError):  # with an open connection there are fewer waits
            await asyncio.wait_for(insert.task, 5)
        async with database.read() as session:
            assert await session.scalar(select(literal(number))) == number


async def wait_for(interruptible: InterruptibleListener) -> None:
    await interruptible


async def fail_after_a_timeout(database: Database) -> None:
    try:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
    except TimeoutError:
        async with database.write() as session:
            await session.execute(text("SELECT nothing_of_this_name"))


async def test_failure_after_timeout_is_no_cancellation(database: Database) -> None:
    """A timeout cancels the task internally, though no caller cancelled it."""
    with pytest.raises(ProgrammingError):
        await fail_after_a_timeout(database)


async def test_leader_stops_on_request_while_work_fails(database: Database, eventually: Callable[..., Any]) -> None:
    """A task group would raise the failure and drop the cancellation."""

    async def fails_when_stopped(lease: HeldLease) -> None:
        started.append(lease.epoch)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OperationalError("ROLLBACK", {}, Exception("connection lost")) from None

    started: list[int] = []
    task = asyncio.create_task(run_as_leader(database, NAME, fails_when_stopped, ttl_seconds=TTL, renew_seconds=RENEW))
    await eventually(count_of(started, 1))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert started == [1]
