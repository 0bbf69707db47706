"""Business writes and indexed reads through the product's own sessions, on an embedded PostgreSQL with fsync on.

A business write raises one ticket: the row and its outbox row in one transaction, by 16 writers at once. The baseline is
one plain INSERT a transaction over the bare driver, by as many. A read gets one request by its id in a snapshot of its
own; its baseline is the same SELECT over the bare driver.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import insert

from bench.figures import Figure
from paimon.application.approval_workflow.store import insert_ticket
from paimon.application.redemptions.store import find_redemption, to_values
from paimon.domain.approval import raise_ticket
from paimon.domain.chain import Address
from paimon.domain.redemption import Channel, Redemption, RedemptionStatus
from paimon.domain.units import RawAmount
from paimon.gateway.cli.demo.postgres import EmbeddedPostgres
from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.models.derived import RedemptionRequest
from paimon.infrastructure.database.models.owned import OutboxPriority
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon.infrastructure.queue import outbox
from paimon.settings import ApprovalSettings

SECONDS: Final = 5.0
CLIENTS: Final = 16
_ROWS: Final = 10_000
_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_POLICY: Final = ApprovalSettings().policy()


def _request(number: int) -> Redemption:
    who = Address(number.to_bytes(20, "big"))
    return Redemption(
        request_id=number,
        owner=who,
        receiver=who,
        shares=RawAmount(10**23),
        gross_amount=RawAmount(10**23),
        estimated_fee=RawAmount(10**20),
        channel=Channel.STANDARD,
        requires_approval=True,
        window_id=0,
        status=RedemptionStatus.PENDING_APPROVAL,
        requested_at=_AT,
        settlement_at=None,
    )


async def _per_second(work: Callable[[int], Awaitable[None]]) -> float:
    """How often CLIENTS callers together finish `work` within SECONDS."""
    numbers, done = count(1), 0
    deadline = time.perf_counter() + SECONDS

    async def client() -> None:
        nonlocal done
        while time.perf_counter() < deadline:
            await work(next(numbers))
            done += 1

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return done / SECONDS


async def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="paimon-bench-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder)) as server:
            migrate.upgrade(server.owner_url, app_role="paimon_app")
            engine = create_engine(server.app_url, pool_size=CLIENTS, connect_timeout_seconds=5, application_name="bench")
            database = Database(engine)
            try:
                return [*await _writes(database, server.app_url), *await _reads(database, server.app_url)]
            finally:
                await database.close()


async def _writes(database: Database, url: str) -> list[Figure]:
    template = _request(1)

    async def raise_one(number: int) -> None:
        async with database.write() as session:
            ticket = raise_ticket(replace(template, request_id=number), _POLICY, now=_AT)
            await insert_ticket(session, ticket)
            await outbox.add(session, "redemption", str(number), priority=OutboxPriority.HIGH)

    ours = await _per_second(raise_one)
    async with await _pool(url) as take:

        async def insert_one(number: int) -> None:
            await take(
                "INSERT INTO owned.sign_in_challenges (nonce, address, message, expires_at)"
                " VALUES (%s, decode(repeat('00', 20), 'hex'), '', now())",
                (str(number),),
            )

        baseline = await _per_second(insert_one)
    return [Figure("db.write_tps", round(ours, 1), "tx/s", round(baseline, 1), "≥ 500")]


async def _reads(database: Database, url: str) -> list[Figure]:
    async with database.write() as session:
        rows = [to_values(_request(number), updated_block=1) for number in range(1, _ROWS + 1)]
        await session.execute(insert(RedemptionRequest), rows)

    async def read_one(number: int) -> None:
        async with database.read() as session:
            assert await find_redemption(session, number % _ROWS + 1) is not None

    ours = await _per_second(read_one)
    async with await _pool(url) as take:

        async def select_one(number: int) -> None:
            await take("SELECT * FROM derived.redemption_requests WHERE request_id = %s", (number % _ROWS + 1,))

        baseline = await _per_second(select_one)
    return [Figure("db.read_qps", round(ours, 1), "reads/s", round(baseline, 1), "≥ 2 000")]


class _Pool:
    """CLIENTS bare connections; calling it runs one statement on a free one."""

    def __init__(self, connections: list[psycopg.AsyncConnection[tuple[object, ...]]]) -> None:
        self._all = connections
        self._free: asyncio.Queue[psycopg.AsyncConnection[tuple[object, ...]]] = asyncio.Queue()
        for each in connections:
            self._free.put_nowait(each)

    async def __aenter__(self) -> "_Pool":
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._all:
            await each.close()

    async def __call__(self, statement: str, values: tuple[object, ...] = ()) -> None:
        connection = await self._free.get()
        try:
            await connection.execute(statement.encode(), values)
        finally:
            self._free.put_nowait(connection)


async def _pool(url: str) -> _Pool:
    dsn = url.replace("postgresql+psycopg", "postgresql")
    return _Pool([await psycopg.AsyncConnection.connect(dsn, autocommit=True) for _ in range(CLIENTS)])
