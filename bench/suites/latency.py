"""Latency of the listener: from the head that makes a block final until its rows can be read in PostgreSQL.

A block comes every 0.45 s, with a few Transfers in each. The chain announces each head over WebSocket, and the block two
below it is then final. The listener runs in a process of its own, as in production, and gets the same announcements.
PostgreSQL's notification for the outbox messages of a commit shows when the commit is visible.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import orjson
import psycopg
from websockets.asyncio.client import connect

from bench.dense import NON_FINAL_BLOCKS, DenseChain, dense_chain
from bench.figures import Figure
from bench.suites.listener import BenchStack, listener_process
from paimon.infrastructure.database import migrate
from paimon.infrastructure.queue.outbox import NOTIFY_CHANNEL
from paimon_devkit.stack.embedded_postgres import OWNER_ROLE, EmbeddedPostgres
from paimon_devkit.stack.embedded_redis import EmbeddedRedis

BLOCKS: Final = 240
WARM: Final = 20
"""Blocks before the first one that counts."""
BLOCK_SECONDS: Final = 0.45


async def measure() -> list[Figure]:
    """Measure the latency of BLOCKS blocks."""
    with tempfile.TemporaryDirectory(prefix="paimon-bench-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with EmbeddedPostgres(folder, with_app_role=True) as server, EmbeddedRedis(folder) as redis, dense_chain(800) as chain:
            stack = BenchStack(server, redis.url, chain, folder)
            database = stack.database("latency")
            migrate.upgrade(server.url(OWNER_ROLE, "latency"))
            with listener_process(stack, "latency", chain.url, PAIMON_CHAIN__WS_URL=chain.ws_url):
                return await _measured(database, chain)


async def _measured(database: str, chain: DenseChain) -> list[Figure]:
    announced_at: dict[int, float] = {}
    visible_at: dict[int, float] = {}
    watchers = [
        asyncio.create_task(_watch_heads(chain.ws_url, announced_at)),
        asyncio.create_task(_watch_cursor(database, visible_at)),
    ]
    try:
        await _until(lambda: max(visible_at, default=0) >= chain.last_block)
        for number in range(BLOCKS + WARM):
            began = time.perf_counter()
            await asyncio.to_thread(chain.add_block)
            if number % 40 == 39:
                print(f"  {number + 1} of {BLOCKS + WARM} blocks", flush=True)
            await asyncio.sleep(max(0.0, BLOCK_SECONDS - (time.perf_counter() - began)))
        last = chain.rpc.head("finalized").number
        await _until(lambda: max(visible_at) >= last)
    finally:
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
    took = sorted((visible_at[number] - announced_at[number]) * 1000 for number in visible_at if number > last - BLOCKS)
    assert len(took) == BLOCKS, f"{len(took)} of {BLOCKS} blocks were seen one by one"
    cuts = statistics.quantiles(took, n=100, method="inclusive")
    return [
        Figure("listener.latency.p50_ms", round(cuts[49], 1), "ms"),
        Figure("listener.latency.p95_ms", round(cuts[94], 1), "ms", target="< 20"),
        Figure("listener.latency.p99_ms", round(cuts[98], 1), "ms", target="< 50"),
    ]


async def _watch_heads(url: str, announced_at: dict[int, float]) -> None:
    """Note when the announcement of a head made each block final."""
    async with connect(url) as socket:
        await socket.send(orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}))
        await socket.recv()
        while True:
            message = orjson.loads(await socket.recv())
            announced_at[int(message["params"]["result"]["number"], 16) - NON_FINAL_BLOCKS] = time.perf_counter()


async def _watch_cursor(database: str, visible_at: dict[int, float]) -> None:
    """Note when each block was visible in the database."""
    async with (
        await psycopg.AsyncConnection.connect(database, autocommit=True) as notifications,
        await psycopg.AsyncConnection.connect(database, autocommit=True) as cursor_reader,
    ):
        await notifications.execute(f"LISTEN {NOTIFY_CHANNEL}")
        while True:
            async for _ in notifications.notifies(timeout=1, stop_after=1):
                pass
            notified_at = time.perf_counter()
            row = await (await cursor_reader.execute("SELECT number FROM derived.cursor")).fetchone()
            if row is not None:
                visible_at.setdefault(row[0], notified_at)


async def _until(reached: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + 60
    while not reached():
        assert time.perf_counter() < deadline, "the listener does not follow"
        await asyncio.sleep(0.1)
