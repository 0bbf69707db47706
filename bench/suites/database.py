"""Business writes and indexed reads through the product's sessions, on an embedded PostgreSQL with fsync on.

A business write opens one ticket: the row and its outbox message in one transaction, by 16 writers at once. A read gets one
request by its id as a single query, by as many readers. The baselines are the same statements over the bare driver: BEGIN,
both INSERTs with the same number of columns, NOTIFY and COMMIT; and the same SELECT. `db.snapshot_qps` is the same read in
a snapshot of its own, as a response of several queries needs it, beside BEGIN, SELECT and COMMIT.

Everything runs in one process and one event loop on uvloop, as in the API. Where a second core is free, a second replica
doubles the rates.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import insert

from bench.figures import Figure
from paimon.application.approval_tickets.store import insert_ticket
from paimon.application.redemptions.store import REDEMPTION, find_redemption
from paimon.domain.approval.first_policy import FIRST_POLICY
from paimon.domain.approval.redemption_ticket import open_ticket
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.redemption.request import Redemption, RedemptionChannel, RedemptionStatus
from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.models.derived import RedemptionRequestRow
from paimon.infrastructure.database.rows.redemption import to_values
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon.infrastructure.queue import outbox
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

SECONDS: Final = 5.0
CLIENTS: Final = 16
_ROWS: Final = 10_000
_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_POLICY: Final = FIRST_POLICY


def _request(number: int) -> Redemption:
    account = Address(number.to_bytes(20, "big"))
    return Redemption(
        request_id=number,
        owner=account,
        receiver=account,
        shares=RawAmount(10**23),
        gross_amount=RawAmount(10**23),
        estimated_fee=RawAmount(10**20),
        channel=RedemptionChannel.STANDARD,
        requires_approval=True,
        window_id=0,
        status=RedemptionStatus.PENDING_APPROVAL,
        requested_at=_AT,
        settlement_at=None,
    )


class Rate(NamedTuple):
    """Operations a second, and this process's CPU time for each (without PostgreSQL's)."""

    rate: float
    cpu_us: float


async def measure_rate(work: Callable[[int], Awaitable[None]]) -> Rate:
    """Measure CLIENTS callers together that repeat `work` for SECONDS, after each has done it once."""
    numbers, done = count(1), 0
    await asyncio.gather(*(work(next(numbers)) for _ in range(CLIENTS)))
    began_cpu, deadline = time.process_time(), time.perf_counter() + SECONDS

    async def client() -> None:
        nonlocal done
        while time.perf_counter() < deadline:
            await work(next(numbers))
            done += 1

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return Rate(round(done / SECONDS, 1), round((time.process_time() - began_cpu) / done * 1e6, 1))


async def measure() -> list[Figure]:
    """Measure writes and reads."""
    with tempfile.TemporaryDirectory(prefix="paimon-bench-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder), with_app_role=True) as server:
            migrate.upgrade(server.owner_url)
            engine = create_engine(server.app_url, pool_size=CLIENTS, connect_timeout_seconds=5, application_name="bench")
            database = Database(engine)
            try:
                return [*await _writes(database, server.app_url), *await _reads(database, server.app_url)]
            finally:
                await database.close()


async def _writes(database: Database, url: str) -> list[Figure]:
    template = _request(1)

    async def open_ticket_once(number: int) -> None:
        async with database.write() as session:
            ticket = open_ticket(replace(template, request_id=number), _POLICY, decimals=18, now=_AT)
            assert await insert_ticket(session, ticket)
            await outbox.add(session, "redemption", str(number), priority=OutboxPriority.HIGH)

    ours = await measure_rate(open_ticket_once)
    async with await open_pool(url) as pool:

        async def insert_both(number: int) -> None:
            async with pool.connection() as connection, connection.transaction():
                await connection.execute(
                    "INSERT INTO ops.approval_tickets (id, type, request_id, owner, receiver, gross_amount, policy_version,"
                    " rules, required_approvals, status, opened_at, warn_at, escalate_at, deadline_at)"
                    " SELECT %s, type, %s, owner, receiver, gross_amount, policy_version, rules, required_approvals,"
                    " status, opened_at, warn_at, escalate_at, deadline_at FROM ops.approval_tickets WHERE request_id = 1"
                    " ON CONFLICT DO NOTHING RETURNING id",
                    (f"baseline-{number}", 10**9 + number),
                )
                await connection.execute(
                    "INSERT INTO ops.outbox (kind, aggregate_id, payload, priority) VALUES ('redemption', %s, '{}', 'high')"
                    " RETURNING pg_notify('paimon_outbox', '')",
                    (str(number),),
                )

        baseline = await measure_rate(insert_both)
    return [
        Figure("db.write_tps", ours.rate, "tx/s", baseline.rate, "≥ 500"),
        Figure("db.write_cpu_us", ours.cpu_us, "µs", baseline.cpu_us),
    ]


async def _reads(database: Database, url: str) -> list[Figure]:
    async with database.write() as session:
        rows = [to_values(_request(number), updated_block=1) for number in range(1, _ROWS + 1)]
        await session.execute(insert(RedemptionRequestRow), rows)

    async def read_one(number: int) -> None:
        assert await database.find(REDEMPTION, request_id=number % _ROWS + 1) is not None

    async def read_in_snapshot(number: int) -> None:
        async with database.read() as session:
            assert await find_redemption(session, number % _ROWS + 1) is not None

    single, snapshot = await measure_rate(read_one), await measure_rate(read_in_snapshot)
    async with await open_pool(url) as pool:
        query = "SELECT * FROM derived.redemption_requests WHERE request_id = %s"

        async def select_one(number: int) -> None:
            async with pool.connection() as connection:
                assert await (await connection.execute(query, (number % _ROWS + 1,))).fetchone()

        async def select_in_snapshot(number: int) -> None:
            async with pool.connection() as connection, connection.transaction():
                assert await (await connection.execute(query, (number % _ROWS + 1,))).fetchone()

        bare, bare_snapshot = await measure_rate(select_one), await measure_rate(select_in_snapshot)
    return [
        Figure("db.read_qps", single.rate, "reads/s", bare.rate, "≥ 2 000"),
        Figure("db.read_cpu_us", single.cpu_us, "µs", bare.cpu_us),
        Figure("db.snapshot_qps", snapshot.rate, "reads/s", bare_snapshot.rate),
        Figure("db.snapshot_cpu_us", snapshot.cpu_us, "µs", bare_snapshot.cpu_us),
    ]


async def open_pool(url: str) -> AsyncConnectionPool[psycopg.AsyncConnection[TupleRow]]:
    """Return a pool of CLIENTS bare connections, with the options of the product's connections."""
    dsn = url.replace("postgresql+psycopg", "postgresql")
    options = {"autocommit": True, "prepare_threshold": None}
    return AsyncConnectionPool(dsn, min_size=CLIENTS, max_size=CLIENTS, kwargs=options, open=False)
