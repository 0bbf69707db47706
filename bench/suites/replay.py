"""Check a recorded history by `paimon replay --check`: decode, fold and write every log again, and compare every row.

The check runs in a process of its own, as an operator's does, and reports seconds, CPU seconds and peak memory. Before it,
a replay of logs that were not decoded yet fills the live tables. That is the worst case: every row and every log changes.
The baseline of both rates is the floor: the same logs copied from one table to another without decoding.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

import psycopg
from tests.support.assertions.derived_tables import libpq, synthetic_contracts
from tests.support.factories.synthetic_logs import write_logs

from bench.figures import Figure
from paimon.application.replay.replay import replay
from paimon.gateway.cli.process import infrequent_gc
from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.sessions import create_engine
from paimon_devkit.stack.embedded_postgres import OWNER_ROLE, EmbeddedPostgres

MILLION: Final = 1_000_000
SHORT: Final = 20_000
"""The length of the short history whose peak memory is the baseline."""


class _Run(NamedTuple):
    seconds: float
    cpu_seconds: float
    peak_mb: float


async def measure(events: int) -> list[Figure]:
    """Measure the replay and the check of `events` logs."""
    with tempfile.TemporaryDirectory(prefix="paimon-bench-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder), with_app_role=True) as server:
            _, short = await _replayed_and_checked(_recorded(server, SHORT), SHORT)
            url = _recorded(server, events)
            floor = round(events / _copied_seconds(url))
            replayed_seconds, checked = await _replayed_and_checked(url, events)
    figures = [
        Figure("replay.events_s", round(events / checked.seconds), "logs/s", floor, "≥ 33 334"),
        Figure("replay.all_changed_events_s", round(events / replayed_seconds), "logs/s", floor),
        Figure("replay.cpu_us_a_log", round(checked.cpu_seconds / events * 1e6, 1), "µs"),
        Figure("replay.peak_mb", checked.peak_mb, "MB", short.peak_mb, "flat"),
    ]
    if events >= MILLION:
        figures.append(Figure("replay.1m_events_s", round(checked.seconds * MILLION / events, 1), "s", target="< 30"))
    return figures


def _recorded(server: EmbeddedPostgres, events: int) -> str:
    name = f"paimon_{events}"
    server.create_database(name)
    url = server.url(OWNER_ROLE, name)
    migrate.upgrade(url)
    print(f"  writing {events:,} logs", flush=True)
    write_logs(libpq(url), events)
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")  # in production autovacuum has run long before
    return url


def _copied_seconds(url: str) -> float:
    began = time.perf_counter()
    with psycopg.connect(libpq(url)) as source, psycopg.connect(libpq(url)) as target:
        target.execute("CREATE TEMPORARY TABLE copied (LIKE derived.raw_logs)")
        ordered = "COPY (SELECT * FROM derived.raw_logs ORDER BY block_number, log_index) TO STDOUT (FORMAT binary)"
        into = "COPY copied FROM STDIN (FORMAT binary)"
        with source.cursor().copy(ordered) as out, target.cursor().copy(into) as copied:
            for data in out:
                copied.write(data)
    return time.perf_counter() - began


async def _replayed_and_checked(url: str, events: int) -> tuple[float, _Run]:
    print(f"  replaying {events:,} logs that are not decoded yet", flush=True)
    engine = create_engine(url, pool_size=1, connect_timeout_seconds=5, application_name="paimon-replay")
    began = time.perf_counter()
    with infrequent_gc():
        await replay(engine, synthetic_contracts())
    replayed_seconds = time.perf_counter() - began
    await engine.dispose()
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    print(f"  checking {events:,} logs", flush=True)
    command = [sys.executable, "-m", "tests.support.replay_process", url]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    logs, seconds, cpu_seconds, peak_kib, differing = output.decode().splitlines()[-1].split()
    assert (int(logs), int(differing)) == (events, 0), output
    return replayed_seconds, _Run(float(seconds), float(cpu_seconds), round(int(peak_kib) / 1024, 1))
