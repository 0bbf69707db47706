"""Audited writes by 16 writers while the auditor seals them, beside the same writes without an audit trail.

A write is one decision of an operator: one INSERT that commits by itself. With the trail, the table's trigger adds the entry in
the same transaction, and the auditor seals it into the tree half a second later, in this process too. The baseline is the same
INSERT with that trigger off, measured before and after; the faster of the two counts. `audit.sealed_after_s` is how long the
auditor still worked when the writers had ended.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Final

import psycopg

from bench.figures import Figure
from bench.suites.database import Rate, measure_rate, open_pool
from paimon.application.audit.seal import seal, seal_all
from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.leases import try_acquire
from paimon.infrastructure.database.sessions import Database, create_engine
from paimon.settings import AuditSettings
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

_INSERT: Final = """
    INSERT INTO ops.operator_decisions (kind, outbox_id, problem, reason, requested_by)
    VALUES ('replay_message', %s, 'the node did not answer', 'it answers again', %s)
"""


async def measure() -> list[Figure]:
    """Measure appends."""
    with tempfile.TemporaryDirectory(prefix="paimon-bench-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder), with_app_role=True) as server:
            migrate.upgrade(server.owner_url)
            engine = create_engine(server.owner_url, pool_size=2, connect_timeout_seconds=5, application_name="bench")
            database = Database(engine)
            try:
                return await _appends(database, server.owner_url)
            finally:
                await database.close()


async def _appends(database: Database, url: str) -> list[Figure]:
    _switch_trigger(url, "DISABLE")
    before = await _writes(url)
    _switch_trigger(url, "ENABLE")
    lease = await try_acquire(database, "auditor", "bench", ttl_seconds=600)
    assert lease is not None
    options = AuditSettings()
    sealing = asyncio.create_task(seal_all(database, lease, options))
    try:
        audited = await _writes(url)
    finally:
        sealing.cancel()
        await asyncio.gather(sealing, return_exceptions=True)
    ended = time.perf_counter()
    while await seal(database, lease, entries_max=options.seal_entries_max):
        pass
    sealed_after = time.perf_counter() - ended
    _switch_trigger(url, "DISABLE")
    after = await _writes(url)
    plain = max(before, after, key=lambda rate: rate.rate)
    return [
        Figure("audit.append.vs_insert", audited.rate, "tx/s", plain.rate, "≥ 0.5 of the baseline"),
        Figure("audit.append_cpu_us", audited.cpu_us, "µs", plain.cpu_us),
        Figure("audit.sealed_after_s", round(sealed_after, 3), "s", None, "< 1"),
    ]


async def _writes(url: str) -> Rate:
    async with await open_pool(url) as pool:

        async def insert_one(number: int) -> None:
            async with pool.connection() as connection:
                await connection.execute(_INSERT, (number, (number % 250).to_bytes(20, "big")))

        return await measure_rate(insert_one)


def _switch_trigger(url: str, switch: str) -> None:
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as owner:
        owner.execute(f"ALTER TABLE ops.operator_decisions {switch} TRIGGER audit_decision_made")
