"""Run TimescaleDB for tests in both editions.

Apache edition  Debian's packages of PostgreSQL 17, run like the demo's PostgreSQL
full edition    WebAssembly from npm below `tests/timescaledb/`: one session, always as superuser, no background jobs
"""

import fcntl
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.api_clients import run_program
from tests.support.debian_programs import TIMESCALEDB, postgres_server
from tests.support.paths import ROOT

from paimon_devkit.stack.child import Child, ChildSpec
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres
from paimon_devkit.stack.ports import HOST, free_port

_PROGRAMS: Final = ROOT / "tests" / "timescaledb"


def install_full() -> None:
    """Install the full edition unless it is there; of several test processes the first does, and the others wait."""
    with (_PROGRAMS / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (_PROGRAMS / "node_modules" / ".package-lock.json").exists():
            run_program("npm", "ci", "--silent", "--no-audit", "--no-fund", cwd=_PROGRAMS)


@contextmanager
def apache_server(folder: Path) -> Iterator[EmbeddedPostgres]:
    """Run a server with the extension loaded; the database's owner may create the extension."""
    server = postgres_server(TIMESCALEDB, folder)
    server.prepare()
    with (server.records / "cluster" / "postgresql.conf").open("a") as settings:
        settings.write("shared_preload_libraries = 'timescaledb'\ntimescaledb.telemetry_level = off\n")
    with server:
        yield server


@contextmanager
def full_server(folder: Path) -> Iterator[str]:
    """Run the full edition and give the SQLAlchemy URL of its one database, as its superuser."""
    install_full()
    port = free_port()
    child = Child(
        ChildSpec(
            name="timescaledb-full",
            argv=("node", str(_PROGRAMS / "full.mjs"), str(port)),
            env={"PATH": os.environ.get("PATH", os.defpath)},
            ready=lambda: _listens(port),
            ready_seconds_max=60,
            stop_signal=signal.SIGKILL,  # all of it is in memory
        ),
        folder / "logs",
    )
    child.start()
    try:
        yield f"postgresql+psycopg://postgres:any@{HOST}:{port}/postgres"
    finally:
        child.stop()


def _listens(port: int) -> bool:
    with socket.create_connection((HOST, port), timeout=1):
        return True


if __name__ == "__main__":
    install_full()
