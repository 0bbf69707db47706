"""Catch up over blocks with hardly any events, as a real fund has: one log in five thousand blocks.

The node is a stub in a process of its own (`bench/sparse_node.py`), so the figure does not include a real node's response time.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg

from bench.dense import dense_chain
from bench.figures import Figure
from bench.sparse_node import LOG_INTERVAL_BLOCKS
from bench.suites.listener import BenchStack, listener_process
from paimon.infrastructure.database import migrate
from paimon_devkit.stack.embedded_postgres import OWNER_ROLE, EmbeddedPostgres
from paimon_devkit.stack.embedded_redis import EmbeddedRedis
from paimon_devkit.stack.ports import free_port

BLOCKS: Final = 300_000
_TIMEOUT_SECONDS: Final = 600


async def measure() -> list[Figure]:
    """Measure the catch-up over BLOCKS blocks."""
    with tempfile.TemporaryDirectory(prefix="paimon-bench-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with EmbeddedPostgres(folder, with_app_role=True) as server, EmbeddedRedis(folder) as redis, dense_chain(80) as chain:
            stack = BenchStack(server, redis.url, chain, folder)
            print(f"  hashing {BLOCKS:,} headers", flush=True)
            with _node(chain.fund.vault, chain.fund.asset_controller) as url:
                seconds = _caught_up_seconds(stack, url)
    return [Figure("listener.sparse_blocks_s", round(BLOCKS / seconds), "blocks/s", target="≥ 5 000")]


@contextmanager
def _node(vault: str, controller: str) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "bench.sparse_node", str(BLOCKS), str(port), vault, controller]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert "ready" in process.stdout.readline(), "the node did not start"
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(30)


def _caught_up_seconds(stack: BenchStack, url: str) -> float:
    """Return the seconds from the start of `paimon listener` until the last block is committed."""
    dsn = stack.database("sparse")
    migrate.upgrade(stack.server.url(OWNER_ROLE, "sparse"))
    with (
        listener_process(stack, "sparse", url, PAIMON_FUND__START_BLOCK="1") as process,
        psycopg.connect(dsn, autocommit=True) as connection,
    ):
        began = time.perf_counter()
        while time.perf_counter() - began < _TIMEOUT_SECONDS:
            row = connection.execute("SELECT number FROM derived.cursor").fetchone()
            if row is not None and row[0] >= BLOCKS:
                took = time.perf_counter() - began
                logs = connection.execute("SELECT count(*) FROM derived.raw_logs").fetchone()
                assert logs is not None
                assert logs[0] == (BLOCKS - 1_000) // LOG_INTERVAL_BLOCKS, logs
                return took
            assert process.poll() is None, "the listener ended"
            time.sleep(0.02)
    raise AssertionError(f"the listener was not done after {_TIMEOUT_SECONDS} s")
