"""Supervise real servers in a process that test_supervisor.py kills.

    python -m tests.faults.devkit.supervised_stack DATA full|database|light

It prints one line of JSON once everything runs, then waits.
"""

import json
import os
import sys
from pathlib import Path

from tests.support.paths import CONTRACTS

from paimon_devkit.stack.embedded_chain import EmbeddedChain, find_anvil
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres
from paimon_devkit.stack.embedded_redis import EmbeddedRedis
from paimon_devkit.stack.supervisor import ChildSpec, Supervisor

# A shell with a child of its own, as Celery's main process has workers. Both ignore SIGTERM.
FAMILY = ("sh", "-c", "trap '' TERM HUP; sleep 600 & wait; sleep 600")


def main(data: Path, size: str) -> None:
    report: dict[str, object] = {"supervisor": os.getpid()}
    names = ["family", "sleeper"]
    with Supervisor(data) as supervisor:
        if size in ("full", "database"):
            postgres = EmbeddedPostgres(data, durable=False)
            supervisor.start(postgres.spec())
            names.append("postgres")
            report["database"] = postgres.owner_url
        if size == "full":
            redis, chain = EmbeddedRedis(data), EmbeddedChain(data, anvil=find_anvil(CONTRACTS))
            supervisor.start(redis.spec())
            supervisor.start(chain.spec())
            names += ["redis", "chain"]
            report["http"] = chain.http_url
        supervisor.start(ChildSpec("family", FAMILY, grace_seconds=0.3))
        supervisor.start(ChildSpec("sleeper", ("sleep", "600")))
        report["guard"] = supervisor.guard_pid
        report["pids"] = {name: supervisor.pid(name) for name in names}
        print(json.dumps(report), flush=True)
        supervisor.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
