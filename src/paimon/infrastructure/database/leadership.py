"""Leadership of a single active process: stand by until the lease is free, work while holding it, stop when it is lost."""

import asyncio
import os
import random
import socket
from collections.abc import Awaitable, Callable
from uuid import uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError

from paimon.infrastructure.database.leases import HeldLease, LeaseLost, LeaseTable, release, renew, try_acquire
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.observability.outages import Outages

log = structlog.get_logger(__name__)


def lease_owner_name() -> str:
    """Return a unique name of this process that shows an operator where it runs."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}"


async def run_as_leader(
    database: Database,
    name: str,
    work: Callable[[HeldLease], Awaitable[None]],
    *,
    ttl_seconds: float,
    renew_seconds: float,
    table: LeaseTable = LeaseTable.PROCESSES,
) -> None:
    """Hold the lease `name` and run `work` under it; after a loss, stand by again.

    It ends only when it is cancelled, or when `work` raises another error than LeaseLost or SQLAlchemyError.
    """
    owner = lease_owner_name()
    standby_logged = False
    outages = Outages()
    while True:
        try:
            lease = await try_acquire(database, name, owner, ttl_seconds=ttl_seconds, table=table)
            outages.record_success(f"lease {name}")
        except SQLAlchemyError as error:
            outages.record_failure("database", _first_line(error), task=f"lease {name}")
            lease = None
        if lease is None:
            if not standby_logged:
                log.info("lease.standby", lease=name, owner=owner)
                standby_logged = True
            await asyncio.sleep(random.uniform(0.5, 1.0) * min(renew_seconds, 1.0))  # noqa: S311 — jitter
            continue
        standby_logged = False
        log.info("lease.acquired", lease=name, owner=owner, epoch=lease.epoch)
        try:
            await _run_while_held(database, lease, work, ttl_seconds=ttl_seconds, renew_seconds=renew_seconds)
        except LeaseLost as lost:
            log.warning("lease.lost", lease=name, owner=owner, reason=str(lost))
        except SQLAlchemyError as failed:
            log.error("lease.work_failed", lease=name, owner=owner, reason=_first_line(failed))
        finally:
            await _release(database, lease)
        await asyncio.sleep(renew_seconds)  # the next attempt may fail too; let another process try first


async def _run_while_held(
    database: Database,
    lease: HeldLease,
    work: Callable[[HeldLease], Awaitable[None]],
    *,
    ttl_seconds: float,
    renew_seconds: float,
) -> None:
    async def renew_until_lost() -> None:
        while True:
            await asyncio.sleep(renew_seconds)
            try:
                async with asyncio.timeout(ttl_seconds - renew_seconds):
                    await renew(database, lease, ttl_seconds=ttl_seconds)
            except TimeoutError:  # a holder without a connection gets no error; by now its lease has expired
                raise LeaseLost(f"lease {lease.name!r} (epoch {lease.epoch}) could not be renewed in time") from None

    # Not a TaskGroup: if it is cancelled just as one of the tasks fails, a group raises the failure and drops the cancellation.
    renewal, work_task = asyncio.create_task(renew_until_lost()), asyncio.create_task(_run(work, lease))
    try:
        ended, _ = await asyncio.wait((renewal, work_task), return_when=asyncio.FIRST_COMPLETED)
    finally:
        renewal.cancel()
        work_task.cancel()
        await asyncio.gather(renewal, work_task, return_exceptions=True)
    for task in ended:
        task.result()


async def _run(work: Callable[[HeldLease], Awaitable[None]], lease: HeldLease) -> None:
    await work(lease)
    raise LeaseLost("the work ended by itself")


async def _release(database: Database, lease: HeldLease) -> None:
    try:
        await release(database, lease)
    except SQLAlchemyError as error:
        log.warning("lease.not_released", lease=lease.name, reason=_first_line(error))


def _first_line(error: BaseException) -> str:
    """Describe the error by its type and first line: drivers append the statement and its values."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
