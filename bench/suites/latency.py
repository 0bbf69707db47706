"""How soon a block is in the books: from the announcement that makes it final until its rows can be read in PostgreSQL.

A block every 0.45 s, with a few Transfers in each. The chain announces a head over WebSocket; two blocks below it one has
become final by that. The listener is a process of its own, as it is deployed, and gets the same announcements. The commit is
known by the bell of the due reactions that it holds, which PostgreSQL rings when it is visible.
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

from bench.dense import UNFINAL, DenseChain, dense_chain
from bench.figures import Figure
from bench.suites.listener import Site, listener_process
from paimon.infrastructure.database import migrate
from paimon.infrastructure.queue.outbox import CHANNEL
from paimon_devkit.stack.embedded_postgres import APP_ROLE, OWNER_ROLE, EmbeddedPostgres
from paimon_devkit.stack.embedded_redis import EmbeddedRedis

BLOCKS: Final = 240
WARM: Final = 20
"""Blocks before anything counts."""
BLOCK_SECONDS: Final = 0.45


async def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="paimon-bench-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with EmbeddedPostgres(folder) as server, EmbeddedRedis(folder) as redis, dense_chain(800) as chain:
            site = Site(server, redis.url, chain, folder)
            database = site.database("latency")
            migrate.upgrade(server.url(OWNER_ROLE, "latency"), app_role=APP_ROLE)
            with listener_process(site, "latency", chain.url, PAIMON_CHAIN__WS_URL=chain.ws_url):
                return await _measured(database, chain)


async def _measured(database: str, chain: DenseChain) -> list[Figure]:
    announced: dict[int, float] = {}
    visible: dict[int, float] = {}
    watching = [
        asyncio.create_task(_watch_heads(chain.ws_url, announced)),
        asyncio.create_task(_watch_books(database, visible)),
    ]
    try:
        await _until(lambda: max(visible, default=0) >= chain.last_block)
        for number in range(BLOCKS + WARM):
            began = time.perf_counter()
            await asyncio.to_thread(chain.add_block)
            if number % 40 == 39:
                print(f"  {number + 1} of {BLOCKS + WARM} blocks", flush=True)
            await asyncio.sleep(max(0.0, BLOCK_SECONDS - (time.perf_counter() - began)))
        last = chain.rpc.head("finalized").number
        await _until(lambda: max(visible) >= last)
    finally:
        for each in watching:
            each.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    took = sorted((visible[number] - announced[number]) * 1000 for number in visible if number > last - BLOCKS)
    assert len(took) == BLOCKS, f"{len(took)} of {BLOCKS} blocks were seen one by one"
    cuts = statistics.quantiles(took, n=100, method="inclusive")
    return [
        Figure("listener.latency.p50_ms", round(cuts[49], 1), "ms"),
        Figure("listener.latency.p95_ms", round(cuts[94], 1), "ms", target="< 20"),
        Figure("listener.latency.p99_ms", round(cuts[98], 1), "ms", target="< 50"),
    ]


async def _watch_heads(url: str, announced: dict[int, float]) -> None:
    """When each block was made final by the announcement of a head."""
    async with connect(url) as socket:
        await socket.send(orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}))
        await socket.recv()
        while True:
            message = orjson.loads(await socket.recv())
            announced[int(message["params"]["result"]["number"], 16) - UNFINAL] = time.perf_counter()


async def _watch_books(database: str, visible: dict[int, float]) -> None:
    """When the books stood at each block."""
    async with (
        await psycopg.AsyncConnection.connect(database, autocommit=True) as bell,
        await psycopg.AsyncConnection.connect(database, autocommit=True) as books,
    ):
        await bell.execute(f"LISTEN {CHANNEL}")
        while True:
            async for _ in bell.notifies(timeout=1, stop_after=1):
                pass
            rung = time.perf_counter()
            row = await (await books.execute("SELECT number FROM derived.cursor")).fetchone()
            if row is not None:
                visible.setdefault(row[0], rung)


async def _until(reached: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + 60
    while not reached():
        assert time.perf_counter() < deadline, "the listener does not follow"
        await asyncio.sleep(0.1)
