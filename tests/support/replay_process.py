"""A process that checks a synthetic history by replay: `python -m … URL`.

It prints logs, seconds, CPU seconds, its peak memory and the number of rows that differ.
"""

import asyncio
import resource
import sys
import time

from tests.support.assertions.derived_tables import synthetic_contracts

from paimon.application.replay.replay import check_replay
from paimon.gateway.cli.process import infrequent_gc
from paimon.infrastructure.database.sessions import create_engine


async def main(url: str) -> None:
    engine = create_engine(url, pool_size=1, connect_timeout_seconds=5, application_name="paimon-replay")
    began, began_cpu = time.monotonic(), time.process_time()
    checked = await check_replay(engine, synthetic_contracts())
    seconds, cpu_seconds = time.monotonic() - began, time.process_time() - began_cpu
    await engine.dispose()
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(checked.logs, f"{seconds:.3f}", f"{cpu_seconds:.3f}", peak_kib, checked.comparison.rows_differing)


if __name__ == "__main__":
    with infrequent_gc():
        asyncio.run(main(sys.argv[1]))
