"""A one-of process over its lease: works while it holds it, stops when it does not, and comes back."""

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
    """What is done under the lease: it says when it starts and when it is stopped."""

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


async def test_work_goes_on_as_long_as_the_lease_is_renewed(database: Database, eventually: Callable[..., Any]) -> None:
    work = Work()
    async with leading(database, work):
        await eventually(count_of(work.running, 1))
        await asyncio.sleep(2 * TTL)
        assert work.started == work.running == [1]


async def test_of_two_one_works_and_the_other_takes_over_at_once_when_it_ends(
    database: Database, eventually: Callable[..., Any]
) -> None:
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


async def test_a_holder_that_was_robbed_stops_its_work_and_stands_by(
    database: Database, eventually: Callable[..., Any]
) -> None:
    work = Work()
    async with leading(database, work) as task:
        await eventually(count_of(work.running, 1))
        async with database.write() as session:
            await session.execute(
                text("UPDATE ops.leases SET owner = 'robber', epoch = epoch + 1, expires_at = now() + interval '1 second'")
            )
        await eventually(count_of(work.running, 0))
        assert not task.done()
        await eventually(count_of(work.running, 1))
        assert work.started == [1, 3]


async def test_a_holder_whose_renewals_hang_stops_its_work_before_its_time_is_over(
    database: Database, eventually: Callable[..., Any]
) -> None:
    """As on a network that swallows packets: nobody tells the holder that its lease has run out."""
    work = Work()
    async with leading(database, work):
        await eventually(count_of(work.running, 1))
        async with database.write() as session:
            await session.execute(select(LeaseRow).with_for_update())
            await eventually(count_of(work.running, 0), seconds_max=3 * TTL)
        await eventually(count_of(work.running, 1))
        assert work.started == [1, 2]


async def test_work_that_finds_itself_fenced_off_stands_by_rather_than_dies(
    database: Database, eventually: Callable[..., Any]
) -> None:
    fenced: list[int] = []

    async def write_now_and_then(lease: HeldLease) -> None:
        while True:
            async with database.write() as session:
                await fence(session, lease)
            fenced.append(lease.epoch)
            await asyncio.sleep(0.02)

    async def reached(epoch: int) -> bool:
        return epoch in fenced

    async with leading(database, write_now_and_then):
        await eventually(lambda: reached(1))
        async with database.write() as session:
            await session.execute(text("UPDATE ops.leases SET epoch = epoch + 1, expires_at = now() - interval '1 second'"))
        await eventually(lambda: reached(3))
    assert fenced == sorted(fenced)
    assert 2 not in fenced


async def test_work_that_ends_by_itself_is_started_again(database: Database, eventually: Callable[..., Any]) -> None:
    runs: list[int] = []

    async def briefly(lease: HeldLease) -> None:
        runs.append(lease.epoch)

    async with leading(database, briefly):
        await eventually(count_of(runs, 2))
        assert runs == [1, 2]  # and not as fast as the database allows


async def test_a_refusal_of_the_work_ends_the_process_and_frees_the_lease(database: Database) -> None:
    async def refuse(_lease: HeldLease) -> None:
        raise ArithmeticError("a person must look")

    with pytest.raises(ArithmeticError, match="a person must look"):
        await run_as_leader(database, NAME, refuse, ttl_seconds=30, renew_seconds=10)
    assert await try_acquire(database, NAME, "successor", ttl_seconds=30) is not None


async def test_a_database_that_goes_away_stops_the_work_and_brings_it_back_when_it_returns(
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


async def test_work_that_loses_its_database_in_the_middle_of_a_copy_is_started_again(
    database: Database, eventually: Callable[..., Any]
) -> None:
    """The listener's COPY goes past SQLAlchemy, whose errors it then does not wear."""
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
    """A transaction in the state that a cancellation leaves when it meets a COPY at its start: ROLLBACK fails in it."""
    async with database.write() as session:
        driver = await driver_connection(session)
        driver.pgconn.exec_(b"COPY derived.blocks (number) FROM STDIN")
        await asyncio.Event().wait()


async def test_a_cancellation_that_breaks_off_a_copy_is_still_one(database: Database) -> None:
    task = asyncio.create_task(stuck_in_copy(database))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as stopped:
        await asyncio.wait_for(task, 5)
    assert "another command is already in progress" in str(stopped.value.__cause__), "the rollback did fail"
    async with database.read() as session:
        assert await session.scalar(select(1)) == 1, "the pool gave up that connection and has others"


async def write_several_rows(database: Database) -> None:
    """Several at once go in the driver's pipeline."""
    rows = [{"name": f"lease-{number}", "owner": "nobody", "epoch": 1} for number in range(3)]
    async with database.write() as session:
        await session.execute(
            text("INSERT INTO ops.leases (name, owner, epoch, expires_at) VALUES (:name, :owner, :epoch, now())"), rows
        )
        await session.rollback()


async def test_a_cancellation_at_any_wait_of_several_rows_is_still_one_and_leaves_no_connection_that_answers_for_others(
    database: Database,
) -> None:
    counted = InterruptibleListener(write_several_rows(database))
    await counted
    assert counted.waits > 5
    for number in range(1, counted.waits + 1):
        life = InterruptibleListener(write_several_rows(database), cancel_at=number)
        life.task = asyncio.create_task(awaited(life))
        with suppress(asyncio.CancelledError):  # a connection that is there already waits less often
            await asyncio.wait_for(life.task, 5)
        async with database.read() as session:
            assert await session.scalar(select(literal(number))) == number


async def awaited(life: InterruptibleListener) -> None:
    await life


async def fail_after_a_timeout(database: Database) -> None:
    try:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
    except TimeoutError:
        async with database.write() as session:
            await session.execute(text("SELECT nothing_of_this_name"))


async def test_what_fails_after_a_timeout_is_a_failure_and_no_cancellation(database: Database) -> None:
    """A timeout is a cancellation inside, and one that nobody asked the task for."""
    with pytest.raises(ProgrammingError):
        await fail_after_a_timeout(database)


async def test_told_to_stop_while_its_work_fails_it_stops(database: Database, eventually: Callable[..., Any]) -> None:
    """The group of work and renewal raises the failure and forgets the cancellation."""

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
