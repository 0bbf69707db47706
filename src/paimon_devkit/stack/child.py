"""One child process: its description, its start, stop and kill, and its log.

A child leads its own session. A signal to its process group therefore reaches its own children too (Celery's workers), and
Ctrl-C in the terminal reaches only the supervisor, which then stops all children in order. A child starts through launch.py,
which makes the kernel end it when *the thread that spawned it* ends: spawn it from a thread that lives as long as the child.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import BinaryIO, Final, Protocol

from paimon_devkit.stack.errors import ChildFailed

READY_SECONDS_MAX: Final = 120.0
"""How long each part of a demo may take to become ready, by default. They take a few seconds on a quiet machine, but the
application's processes all import at once, and the machine may be busy."""

_LAUNCHER = Path(__file__).with_name("launch.py")
_TAIL_BYTES = 16_384
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class RunAs:
    """The user a child runs as; only root may choose another user than its own."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A program to run, and how to supervise it.

    env            the whole environment; None inherits this process's
    before_start   runs before every spawn, restarts included; an error from it counts as a failed start
    after_exit     runs when a process has ended, in any way
    ready          a probe, repeated until True. It must answer within about a second, and may finish the start (the chain moves
                   its clock there). An OSError from it means "not ready yet"; its text says why.
    stop_signal    goes to the leader alone; the group is killed after `grace_seconds`
    death_signal   the kernel sends it if this process ends without stopping the child
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    ready: Callable[[], bool] | None = None
    restart: bool = True
    cwd: Path | None = None
    run_as: RunAs | None = None
    before_start: Callable[[], None] | None = None
    after_exit: Callable[[], None] | None = None
    ready_seconds_max: float = 30.0
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 10.0
    death_signal: signal.Signals = signal.SIGKILL


class ProcessGroupWatcher(Protocol):
    """A recipient of the process groups that run (the guard)."""

    def add(self, pid: int, stop_signal: signal.Signals) -> None:
        """Report a process group that has started."""

    def remove(self, pid: int) -> None:
        """Report a process group that has ended."""


class Child:
    """At most one running process of a spec. Not thread-safe, except `kill` and `pid`."""

    def __init__(self, spec: ChildSpec, logs: Path, watcher: ProcessGroupWatcher | None = None) -> None:
        self.spec = spec
        self.log_path = logs / f"{spec.name}.log"
        self._watcher = watcher
        self._process: subprocess.Popen[bytes] | None = None
        self._log_rotated = False
        self._grace_ends = 0.0  # monotonic seconds
        self._not_ready_because = ""

    @property
    def pid(self) -> int | None:
        """The leader's pid; None before the first spawn and after its end was noticed."""
        return self._process.pid if self._process is not None else None

    def spawn(self) -> None:
        """Start the process and return before it is ready. Raises the errors of `before_start`."""
        if self.spec.before_start is not None:
            self.spec.before_start()
        spec = self.spec
        user = f"{spec.run_as.uid}:{spec.run_as.gid}" if spec.run_as else "-"
        with self._open_log() as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", str(_LAUNCHER)),
                    *(str(int(spec.death_signal)), str(os.getpid()), user, "--"),
                    *spec.argv,
                ],
                env=None if spec.env is None else dict(spec.env),
                cwd=spec.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if self._watcher is not None:
            self._watcher.add(self._process.pid, spec.stop_signal)

    def poll(self) -> int | None:
        """Return the exit code once the process has ended (negative: a signal), else None. The rest of its group is killed."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        self._finish(self._process)
        return code

    def is_ready(self) -> bool:
        """Run the spec's probe once."""
        if self.spec.ready is None:
            return True
        try:
            return self.spec.ready()
        except OSError as error:
            self._not_ready_because = str(error)
            return False

    def start(self) -> None:
        """Spawn the process and wait until it is ready, without a supervisor. Raises ChildFailed with the log's last lines."""
        self.spawn()
        deadline = time.monotonic() + self.spec.ready_seconds_max
        while not self.is_ready():
            if (code := self.poll()) is not None:
                raise ChildFailed(self.explain(f"{self.spec.name} {describe_exit(code)} while starting"))
            if time.monotonic() > deadline:
                failure = ChildFailed(self.explain(f"{self.spec.name} {self.describe_timeout()}"))
                self.stop()
                raise failure
            time.sleep(_POLL_SECONDS)

    def describe_timeout(self) -> str:
        """Describe a start that took too long: `was not ready after 120 s (it holds no lease yet)`."""
        because = f" ({self._not_ready_because})" if self._not_ready_because else ""
        return f"was not ready after {self.spec.ready_seconds_max:g} s{because}"

    def stop(self, skip_grace: Event | None = None) -> None:
        """Send the stop signal, wait, then kill the group, if the process runs. `skip_grace`, once set, ends the wait."""
        self.request_stop()
        self.await_stop(skip_grace)

    def request_stop(self) -> None:
        """Send the stop signal, if the process runs, and return at once. The grace period begins."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(self.spec.stop_signal)
            self._grace_ends = time.monotonic() + self.spec.grace_seconds

    def await_stop(self, skip_grace: Event | None = None) -> None:
        """Wait after `request_stop` until the process has ended or its grace period is over, then kill its group."""
        process = self._process
        if process is None:
            return
        while process.poll() is None and time.monotonic() < self._grace_ends and not (skip_grace and skip_grace.is_set()):
            time.sleep(_POLL_SECONDS)
        self._finish(process)

    def kill(self) -> int:
        """Send SIGKILL to the whole group and return the leader's pid. Raises ChildFailed when the process does not run."""
        process = self._process
        if process is None or process.returncode is not None:
            raise ChildFailed(f"{self.spec.name} is not running")
        _kill_group(process.pid)
        return process.pid

    def explain(self, headline: str, lines_max: int = 20) -> str:
        """Return the headline, the log's path and its last lines as they are now, before or after a stop added its own."""
        lines = "\n".join(f"    {line}" for line in self.last_lines(lines_max))
        return f"{headline}; the end of {self.log_path}:\n{lines or '    (empty)'}"

    def last_lines(self, lines_max: int) -> list[str]:
        """Return the last lines of this child's log, at most 16 KiB."""
        try:
            with self.log_path.open("rb") as log:
                log.seek(max(log.seek(0, os.SEEK_END) - _TAIL_BYTES, 0))
                return log.read().decode(errors="replace").splitlines()[-lines_max:]
        except FileNotFoundError:
            return []

    def _open_log(self) -> BinaryIO:
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        if not self._log_rotated and self.log_path.exists():
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        self._log_rotated = True  # restarts append: the reason of the last crash stays readable
        return self.log_path.open("ab")

    def _finish(self, process: subprocess.Popen[bytes]) -> None:
        _kill_group(process.pid)
        process.wait()
        if self._watcher is not None:
            self._watcher.remove(process.pid)
        self._process = None
        if self.spec.after_exit is not None:
            self.spec.after_exit()


def describe_exit(code: int) -> str:
    """Describe an exit code: `ended with code 1`, `was killed by SIGKILL`."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _kill_group(pid: int) -> None:
    # A child is its group's leader, and the group keeps its number while a member runs.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
