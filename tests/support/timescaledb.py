"""Install TimescaleDB for tests in both editions, on first use, into the project's folder, and run it.

    Apache edition  Debian's packages of PostgreSQL 17 below `.timescaledb/`, run like the demo's PostgreSQL
    full edition    WebAssembly from npm below `tests/timescaledb/`: one session, always as superuser, no background jobs

The tests of an edition are skipped, with the reason, only where it cannot run: the Apache edition without Debian's package
tools or on another machine than x86-64. A failed download fails the tests.
"""

import fcntl
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from tests.support.paths import ROOT

from paimon_devkit.stack.child import Child, ChildSpec
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres
from paimon_devkit.stack.ports import HOST, free_port

_PROJECT: Final = ROOT
_INSTALLERS: Final = _PROJECT / "tests" / "timescaledb"
_APACHE: Final = _PROJECT / ".timescaledb" / "apache"
_LOCK: Final = _PROJECT / ".timescaledb" / "installing.lock"
_PROGRAMS: Final = Path("usr/lib/postgresql/17/bin")
_LIBRARIES: Final = Path("usr/lib/x86_64-linux-gnu")
_SECONDS_MAX: Final = 240
_UNAVAILABLE: Final = "TimescaleDB's Apache edition: it comes from Debian's packages for x86-64, and this is another system"


class NotInstalled(Exception):
    """The installation failed; the message has the last lines of its output."""


def _run(*command: str | Path, cwd: Path | None = None) -> None:
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=_SECONDS_MAX, check=False)
    if result.returncode:
        raise NotInstalled(f"{command[0]} ended with {result.returncode}: {(result.stderr or result.stdout)[-2_000:]}")


def apache_can_run() -> bool:
    """Return whether Debian's packages for x86-64 can be fetched and run on this machine."""
    tools = ("apt-get", "dpkg-deb")
    return sys.platform == "linux" and platform.machine() == "x86_64" and all(shutil.which(tool) for tool in tools)


@contextmanager
def _installing() -> Iterator[None]:
    """Hold the lock of installations: of several test processes the first installs, and the others wait."""
    _LOCK.parent.mkdir(exist_ok=True)
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install_apache() -> None:
    """Install the Apache edition unless it is there."""
    with _installing():
        if not _APACHE.exists():
            _run(_INSTALLERS / "install_apache.sh", _APACHE)


def install_full() -> None:
    """Install the full edition unless it is there."""
    with _installing():
        if not (_INSTALLERS / "node_modules" / ".package-lock.json").exists():
            _run("npm", "ci", "--silent", "--no-audit", "--no-fund", cwd=_INSTALLERS)


@contextmanager
def apache_server(folder: Path) -> Iterator[EmbeddedPostgres]:
    """Run a server with the extension loaded; the database's owner may create the extension."""
    if not apache_can_run():
        pytest.skip(f"NOT TESTED, {_UNAVAILABLE}")
    install_apache()
    home = folder / "programs"
    shutil.copytree(_APACHE, home, symlinks=True)  # where the server's user can reach them
    _set_loader(home)
    server = EmbeddedPostgres(folder, bin_dir=home / _PROGRAMS, durable=False, with_app_role=True)
    server.prepare()
    with (server.records / "cluster" / "postgresql.conf").open("a") as settings:
        settings.write("shared_preload_libraries = 'timescaledb'\ntimescaledb.telemetry_level = off\n")
    with server:
        yield server


def _set_loader(home: Path) -> None:
    """Let the programs use the libraries beside them: the system's may be older."""
    libraries = home / _LIBRARIES
    loader = libraries / "ld-linux-x86-64.so.2"
    patchelf = (loader, "--library-path", libraries, home / "usr/bin/patchelf")
    for program in ("postgres", "initdb"):
        file = home / _PROGRAMS / program
        _run(*patchelf, "--set-interpreter", loader, "--force-rpath", "--set-rpath", libraries, file)


@contextmanager
def full_server(folder: Path) -> Iterator[str]:
    """Run the full edition and give the SQLAlchemy URL of its one database, as its superuser."""
    install_full()
    port = free_port()
    child = Child(
        ChildSpec(
            name="timescaledb-full",
            argv=("node", str(_INSTALLERS / "full.mjs"), str(port)),
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


def main() -> None:
    """Install both editions. `make test` calls this first, so that no test waits for a download."""
    if not apache_can_run():
        print(f"· not installed, {_UNAVAILABLE}; its tests will be skipped")
    elif not _APACHE.exists():
        print("· PostgreSQL with TimescaleDB's Apache edition, for the tests, into .timescaledb")
        install_apache()
    install_full()


if __name__ == "__main__":
    main()
