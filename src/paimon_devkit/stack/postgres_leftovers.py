"""Clear what an earlier run left on a cluster: a running server, backends that are still ending, a stale pid file."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from paimon_devkit.stack.errors import DataFolderUnusable

_PROC = Path("/proc")
# Fast shutdown, then immediate, then by force; PostgreSQL recovers from any of them.
_SHUTDOWN_SIGNALS = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
_BACKENDS_SECONDS = 10.0
_POLL_SECONDS = 0.02


def clear_leftovers(cluster: Path) -> None:
    """End every process of `cluster` and remove a stale pid file.

    The supervisor's lock on the data folder protects a server that is in use. PostgreSQL alone would refuse to start when an
    unrelated process has the pid in the file. Raises DataFolderUnusable when a process does not end.
    """
    cluster = cluster.resolve()
    pid_file = cluster / "postmaster.pid"
    pid = _recorded_pid(pid_file)
    if pid is not None and _works_on(pid, cluster):
        _end(pid, cluster)
    _wait_for_backends(cluster)
    pid_file.unlink(missing_ok=True)


def remove_cluster(records: Path) -> None:
    """Delete a cluster and its records (embedded_postgres.py lists them), in any state."""
    location = records / "location"
    home = Path(location.read_text().strip()) if location.exists() else records
    if (home / "cluster").exists():
        clear_leftovers(home / "cluster")
    shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(records, ignore_errors=True)


def _recorded_pid(pid_file: Path) -> int | None:
    try:
        return abs(int(pid_file.read_text().splitlines()[0]))  # negative: a single-user server
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _works_on(pid: int, cluster: Path) -> bool:
    """Return whether `pid` is a running process of this cluster: a server's working folder is its cluster."""
    if _PROC.is_dir():
        with suppress(OSError):
            return (_PROC / str(pid) / "cwd").readlink() == cluster
        return False
    answer = subprocess.run(
        ["/bin/ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, timeout=10, check=False
    )
    return str(cluster) in answer.stdout


def _end(pid: int, cluster: Path) -> None:
    for number, seconds in _SHUTDOWN_SIGNALS:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not _works_on(pid, cluster):
                return
            time.sleep(_POLL_SECONDS)
    raise DataFolderUnusable(f"process {pid} still works on {cluster} and does not end: end it by hand")


def _wait_for_backends(cluster: Path) -> None:
    """Wait for the backends of a killed postmaster: they hold its shared memory, and a new one refuses meanwhile."""
    if not _PROC.is_dir():
        return
    for by_force in (False, True):
        if by_force:
            for pid in _backends(cluster):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + _BACKENDS_SECONDS
        while time.monotonic() < deadline:
            if not _backends(cluster):
                return
            time.sleep(_POLL_SECONDS)
    raise DataFolderUnusable(f"processes {_backends(cluster)} still work on {cluster} and do not end: end them by hand")


def _backends(cluster: Path) -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit() and _is_at(entry, cluster)]


def _is_at(entry: Path, cluster: Path) -> bool:
    try:
        # The name counts too: a shell in this folder is not a backend.
        return (entry / "cwd").readlink() == cluster and (entry / "comm").read_text().startswith("postgres")
    except OSError:
        return False
