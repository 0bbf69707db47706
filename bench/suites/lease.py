"""Failover time of the listener and of the scheduler after SIGKILL, with the default settings.

`lease.failover_s`: of two `paimon listener` processes the one with the lease is killed; the time until the other has
recorded a block. `lease.scheduler_failover_s`: the same of two `paimon scheduler` processes, until a job is in its queue.
Each figure is the worst of some crashes; after each, another process is started to stand by. A lease is valid for six
seconds and is renewed every two, so four to six seconds of the time are the wait for its expiry.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg
from redis.asyncio import Redis

from bench.figures import Figure
from paimon.domain.operations.outbox import OutboxPriority
from paimon.infrastructure.database import migrate
from paimon_devkit.stack.accounts import DemoAccounts
from paimon_devkit.stack.embedded_chain import CHAIN_ID, EmbeddedChain, find_anvil
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres
from paimon_devkit.stack.embedded_redis import EmbeddedRedis
from paimon_devkit.stack.fund_deployment import deploy_fund

CRASHES: Final = 3
SECONDS_MAX: Final = 120.0
_CONTRACTS: Final = Path(__file__).parents[2] / "contracts"
_MNEMONIC: Final = "test test test test test test test test test test test junk"


@dataclass
class Pair:
    """Two processes of one kind, as an operator starts them. `progress` is a number that grows with the leader's work."""

    kind: str
    environment: dict[str, str]
    dsn: str
    progress: Callable[[], Awaitable[int]]
    processes: dict[int, Process] = field(default_factory=dict)
    reading: list[asyncio.Task[bytes]] = field(default_factory=list)

    async def start(self) -> None:
        """Start one more process and wait until it has requested the lease, so that its start is no part of a failover."""
        command = [sys.executable, "-m", "paimon", self.kind]
        environment = {**os.environ, **self.environment}
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=STDOUT)
        assert process.stdout is not None
        self.processes[process.pid] = process
        async with asyncio.timeout(SECONDS_MAX):
            while b"lease." not in (line := await process.stdout.readline()):
                assert line, f"paimon {self.kind} ended before it asked for its lease"
        self.reading.append(asyncio.create_task(process.stdout.read()))  # a full pipe would block the process

    async def failover_seconds(self) -> float:
        """Kill the lease's holder and return the seconds until the other process has made progress."""
        holder = await self._holder()
        before = await self.progress()
        os.kill(holder, signal.SIGKILL)
        killed_at = time.monotonic()
        await self.processes.pop(holder).wait()
        after = await self.progress()  # the progress between the read and the kill counts for the killed process
        await _until(lambda: self._progressed(max(before, after)))
        seconds = time.monotonic() - killed_at
        await self.start()
        return seconds

    async def _progressed(self, before: int) -> bool:
        return await self.progress() > before

    async def _holder(self) -> int:
        """Return the pid of the process that holds the lease and works; a lease's owner is named host:pid:…"""

        async def find_holder() -> int:
            async with await psycopg.AsyncConnection.connect(self.dsn) as connection:
                query = "SELECT owner FROM ops.leases WHERE name = %s AND expires_at > now()"
                row = await (await connection.execute(query, [self.kind])).fetchone()
            return int(row[0].split(":")[-2]) if row and await self.progress() else 0

        return await _until(find_holder)

    async def stop(self) -> None:
        """Kill both processes."""
        for process in self.processes.values():
            process.kill()
            await process.wait()
        await asyncio.gather(*self.reading)


async def _until(probe: Callable[[], Awaitable[int]]) -> int:
    async with asyncio.timeout(SECONDS_MAX):
        while not (answer := await probe()):  # noqa: ASYNC110 — the probe asks another process
            await asyncio.sleep(0.02)
    return answer


async def measure() -> list[Figure]:
    """Measure the failover of the listener and of the scheduler."""
    with _bench_stack() as (environment, dsn, redis_url):

        async def recorded() -> int:
            async with await psycopg.AsyncConnection.connect(dsn) as connection:
                row = await (await connection.execute("SELECT number FROM derived.cursor")).fetchone()
            return int(row[0]) if row else 0

        async def enqueued() -> int:
            async with Redis.from_url(redis_url) as redis:
                return int(await redis.llen(OutboxPriority.CHAIN.value))

        return [
            Figure(name, await _worst(Pair(kind, environment, dsn, progress)), "s", target="< 10")
            for name, kind, progress in (
                ("lease.failover_s", "listener", recorded),
                ("lease.scheduler_failover_s", "scheduler", enqueued),
            )
        ]


async def _worst(pair: Pair) -> float:
    try:
        await pair.start()
        await pair.start()
        return max([await pair.failover_seconds() for _ in range(CRASHES)])
    finally:
        await pair.stop()


@contextmanager
def _bench_stack() -> Iterator[tuple[dict[str, str], str, str]]:
    """Run services and a fund on a chain with a block a second; give the environment, the database's URL and Redis's."""
    with tempfile.TemporaryDirectory(prefix="paimon-bench-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        postgres, redis = EmbeddedPostgres(folder, with_app_role=True), EmbeddedRedis(folder, append_only=False)
        with postgres, redis, EmbeddedChain(folder, anvil=find_anvil(_CONTRACTS)) as chain:
            migrate.upgrade(postgres.owner_url)
            accounts = DemoAccounts.of(_MNEMONIC)
            artifacts = _CONTRACTS / "artifacts"
            fund = deploy_fund(
                chain.http_url, accounts=accounts.fund_accounts(), artifacts=artifacts, progress=lambda _line: None
            )
            environment = {
                "PAIMON_DATABASE__URL": postgres.app_url,
                "PAIMON_REDIS__URL": redis.url,
                "PAIMON_CHAIN__CHAIN_ID": str(CHAIN_ID),
                "PAIMON_CHAIN__RPC_URL": chain.http_url,
                "PAIMON_CHAIN__WS_URL": chain.ws_url,
                "PAIMON_FUND__VAULT": fund.vault,
                "PAIMON_FUND__REDEMPTION_MANAGER": fund.redemption_manager,
                "PAIMON_FUND__ASSET_CONTROLLER": fund.asset_controller,
                "PAIMON_FUND__START_BLOCK": str(fund.start_block),
                "PAIMON_SENDING__KEEPER": accounts.address("keeper"),
                "PAIMON_SENDING__APPROVER": accounts.address("approver"),
                "PAIMON_SIGNER__SOCKET": str(folder / "signer.sock"),
                "PAIMON_AUTH__TOKEN_SECRET": "a secret for measurements only, 32+",
                "PAIMON_AUTH__PERSONAL_DATA_SECRET": "a secret for measurements only, 32+",
                "PAIMON_AUTH__DOMAIN": "localhost",
                "PAIMON_AUTH__URI": "http://localhost",
                "PAIMON_REDIS__INTEGRITY_KEY": "a key of its own, of 32 bytes or more",
            }
            yield environment, postgres.app_url.replace("+psycopg", ""), redis.url
