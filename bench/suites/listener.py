"""Speed of the listener's catch-up: from the start of its process until everything final is recorded and projected.

The chain has 80 Transfers of shares a block. The chain and the PostgreSQL server are the same for all indexers. SQD's
evm-processor and Ponder store the Transfers and every holder's balance; each starts fresh and is timed to its last commit.
The floor fetches, decodes and copies the same logs into one table, and does nothing else. `…_50ms` adds 50 ms to every
request, as a provider on another continent does.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
import psycopg
from aiohttp import web

from bench.dense import DenseChain, dense_chain
from bench.figures import Figure
from bench.peers import BlockSpan, ponder_seconds, sqd_seconds
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi
from paimon.infrastructure.database import migrate
from paimon_devkit.stack.embedded_chain import CHAIN_ID
from paimon_devkit.stack.embedded_postgres import APP_ROLE, OWNER_ROLE, EmbeddedPostgres
from paimon_devkit.stack.embedded_redis import EmbeddedRedis

DELAY_SECONDS: Final = 0.05
FLOOR_BLOCKS: Final = 100
FLOOR_AT_ONCE: Final = 4
_TIMEOUT_SECONDS: Final = 1_800


@dataclass(frozen=True, slots=True)
class BenchStack:
    """The services of a measurement."""

    server: EmbeddedPostgres
    redis_url: str
    chain: DenseChain
    folder: Path

    def database(self, name: str) -> str:
        """Create a database and return its libpq URL as the owner."""
        self.server.create_database(name)
        return self.server.url(OWNER_ROLE, name).replace("+psycopg", "")


async def measure(events: int) -> list[Figure]:
    """Measure all indexers on a chain of `events` Transfers, without and with a delay."""
    with tempfile.TemporaryDirectory(prefix="paimon-bench-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with (
            EmbeddedPostgres(folder, with_app_role=True) as server,
            EmbeddedRedis(folder) as redis,
            dense_chain(events) as chain,
        ):
            stack = BenchStack(server, redis.url, chain, folder)
            figures = await _compare_indexers(stack, stack.chain.url, "")
            async with _delayed(stack.chain.url) as delayed_url:
                return figures + await _compare_indexers(stack, delayed_url, "_50ms")


async def _compare_indexers(stack: BenchStack, url: str, suffix: str) -> list[Figure]:
    """Measure each indexer once, one after another, so that each has the machine to itself."""
    chain = stack.chain
    span = BlockSpan(url, chain.fund.vault, chain.fund.start_block, chain.last_block, chain.transfers)

    async def rate(name: str, seconds: Callable[[str], float]) -> float:
        print(f"  {name}{suffix}", flush=True)
        took = await asyncio.to_thread(seconds, stack.database(f"{name}{suffix}"))
        print(f"    {chain.transfers / took:,.0f} events/s in {took:.1f} s", flush=True)
        return round(chain.transfers / took)

    def floor(database_url: str) -> float:
        return asyncio.run(_floor(database_url, url, chain))

    ours = await rate("listener", lambda _: _listener_seconds(stack, f"listener{suffix}", url))
    sqd = await rate("sqd", lambda database: sqd_seconds(database, span))
    ponder = await rate("ponder", lambda database: ponder_seconds(database, span))
    bare = await rate("floor", floor)
    targets = ("≥ 2.5 times", "≥ 10 times", "≥ 0.5 times") if not suffix else (None, None, None)
    return [
        Figure(f"listener.backfill{suffix}.vs_sqd", ours, "events/s", sqd, targets[0]),
        Figure(f"listener.backfill{suffix}.vs_ponder", ours, "events/s", ponder, targets[1]),
        Figure(f"listener.backfill{suffix}.vs_floor", ours, "events/s", bare, targets[2]),
    ]


def _listener_seconds(stack: BenchStack, database: str, url: str) -> float:
    """Return the seconds from the start of `paimon listener` until the last event's block is committed."""
    migrate.upgrade(stack.server.url(OWNER_ROLE, database))
    with listener_process(stack, database, url) as process:
        began = time.perf_counter()
        with psycopg.connect(stack.server.url(OWNER_ROLE, database).replace("+psycopg", ""), autocommit=True) as connection:
            while time.perf_counter() - began < _TIMEOUT_SECONDS:
                row = connection.execute("SELECT number FROM derived.cursor").fetchone()
                if row is not None and row[0] >= stack.chain.last_block:
                    took = time.perf_counter() - began
                    counted = connection.execute("SELECT count(*) FROM derived.raw_logs WHERE event = 'Transfer'").fetchone()
                    assert counted is not None
                    assert counted[0] >= stack.chain.transfers, counted
                    return took
                assert process.poll() is None, "the listener ended"
                time.sleep(0.05)
    raise AssertionError(f"the listener was not done after {_TIMEOUT_SECONDS} s")


@contextmanager
def listener_process(stack: BenchStack, database: str, url: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `paimon listener` as in production."""
    fund = stack.chain.fund
    settings = {
        "PAIMON_DATABASE__URL": stack.server.url(APP_ROLE, database),
        "PAIMON_REDIS__URL": stack.redis_url,
        "PAIMON_CHAIN__CHAIN_ID": str(CHAIN_ID),
        "PAIMON_CHAIN__RPC_URL": url,
        "PAIMON_FUND__VAULT": fund.vault,
        "PAIMON_FUND__REDEMPTION_MANAGER": fund.redemption_manager,
        "PAIMON_FUND__ASSET_CONTROLLER": fund.asset_controller,
        "PAIMON_FUND__START_BLOCK": str(fund.start_block),
        "PAIMON_SENDING__KEEPER": stack.chain.accounts.address("keeper"),
        "PAIMON_SENDING__APPROVER": stack.chain.accounts.address("approver"),
        "PAIMON_SIGNER__SOCKET": str(stack.folder / "no-signer.sock"),
        "PAIMON_AUTH__TOKEN_SECRET": "a secret for measurements only, 32+",
        "PAIMON_AUTH__PERSONAL_DATA_SECRET": "a secret for measurements only, 32+",
        "PAIMON_AUTH__DOMAIN": "localhost",
        "PAIMON_AUTH__URI": "http://localhost",
        "PAIMON_REDIS__INTEGRITY_KEY": "a key of its own, of 32 bytes or more",
        "PAIMON_LOG__LEVEL": "warning",
        **variables,
    }
    process = subprocess.Popen([sys.executable, "-m", "paimon", "listener"], env=os.environ | settings)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


async def _floor(database_url: str, url: str, chain: DenseChain) -> float:
    """Fetch, decode and COPY: no listener in this language can be faster."""
    abi = load_abi("Vault")
    began = time.perf_counter()
    async with aiohttp.ClientSession() as node, await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute(
            "CREATE TABLE copied (block bigint, log_index int, tx bytea, sender bytea, recipient bytea, value numeric)"
        )

        async def fetch_logs(first: int) -> list[dict[str, Any]]:
            last = min(first + FLOOR_BLOCKS - 1, chain.last_block)
            span = {"fromBlock": hex(first), "toBlock": hex(last), "address": chain.fund.vault}
            body = {"jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [span]}
            async with node.post(url, json=body) as response:
                logs: list[dict[str, Any]] = orjson.loads(await response.read())["result"]
            return logs

        async for logs in _in_order(fetch_logs, range(chain.fund.start_block, chain.last_block + 1, FLOOR_BLOCKS)):
            async with connection.cursor() as cursor, cursor.copy("COPY copied FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(["int8", "int4", "bytea", "bytea", "bytea", "numeric"])
                for log in logs:
                    topics = tuple(bytes.fromhex(topic[2:]) for topic in log["topics"])
                    decoded = abi.decode_log(topics, bytes.fromhex(log["data"][2:]))
                    if decoded is None or decoded[0] != "Transfer":
                        continue
                    args = decoded[1]
                    tx = bytes.fromhex(log["transactionHash"][2:])
                    place = (int(log["blockNumber"], 16), int(log["logIndex"], 16))
                    await copy.write_row((*place, tx, *args.values()))
            await connection.commit()
    return time.perf_counter() - began


async def _in_order(fetch: Callable[[int], Any], firsts: range) -> AsyncIterator[list[dict[str, Any]]]:
    """Fetch some ranges at once, and yield their logs in order."""
    running: list[asyncio.Task[list[dict[str, Any]]]] = []
    for first in firsts:
        running.append(asyncio.ensure_future(fetch(first)))
        if len(running) == FLOOR_AT_ONCE:
            yield await running.pop(0)
    for task in running:
        yield await task


@asynccontextmanager
async def _delayed(url: str) -> AsyncIterator[str]:
    """Serve the node through a proxy that delays every request."""
    async with aiohttp.ClientSession() as node:

        async def forward(request: web.Request) -> web.Response:
            body = await request.read()
            await asyncio.sleep(DELAY_SECONDS)
            async with node.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
                return web.Response(body=await response.read(), content_type="application/json")

        app = web.Application(client_max_size=2**30)
        app.router.add_post("/", forward)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            yield f"http://{host}:{port}/"
        finally:
            await runner.cleanup()
