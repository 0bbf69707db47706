"""Start the demo's processes in order, keep them running, and stop them together.

    with Supervisor(data, on_event=print) as supervisor:
        supervisor.start(postgres.spec())      # returns when ready, raises ChildFailed otherwise
        supervisor.start(api_spec)
        supervisor.wait()                      # until a signal, or raises ChildFailed when a child crashed too often

No process is left behind:

- Ctrl-C, SIGTERM and SIGHUP become exceptions in the main thread. Leaving the `with` stops all children, last started first;
  those that were started together stop together. A second signal during the stop kills those that still run. SIGINT and
  SIGTERM work even if this process was started with them ignored, as a shell starts its background jobs. An ignored SIGHUP
  stays ignored, as nohup intends.
- The kernel ends direct children when SIGKILL ends the supervisor (launch.py, Linux), and the guard process ends whole process
  groups in every case and on every platform (guard.py). Processes are left behind only when guard and supervisor are killed
  at the same instant on a platform without parent-death signals.
- A process that leaves its group on purpose (setsid) is out of reach. PostgreSQL's backends do so, and end by themselves when
  their postmaster is gone.

One thread that lives as long as the supervisor spawns and watches the children, because a parent-death signal follows the
spawning thread. That thread calls `on_event`, which must be quick and must not call the supervisor.
"""

import atexit
import itertools
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Self

from paimon_devkit.stack.child import Child, ChildSpec, describe_exit
from paimon_devkit.stack.child_events import ChildEvent, ChildEventKind, RestartPolicy
from paimon_devkit.stack.errors import ChildFailed, DemoError
from paimon_devkit.stack.guard_client import GuardClient
from paimon_devkit.stack.lock import DataFolderLock

__all__ = ["ChildEvent", "ChildEventKind", "ChildSpec", "RestartPolicy", "Supervisor"]

_TICK_SECONDS = 0.05


class _Status(StrEnum):
    DUE = "DUE"  # to be spawned at `due_at`
    STARTING = "STARTING"  # spawned, not ready yet
    READY = "READY"
    ENDED = "ENDED"  # not to be started again


@dataclass(slots=True)
class _Entry:
    child: Child
    batch: int
    """Children of one `start_together` have one number."""
    status: _Status = _Status.DUE
    due_at: float = 0.0  # monotonic seconds
    deadline: float = 0.0
    crashes: deque[float] = field(default_factory=deque)
    restarts: int = 0
    exit_code: int | None = None
    failure: ChildFailed | None = None
    start_finished: threading.Event = field(default_factory=threading.Event)  # set when the first start has succeeded or failed


class Supervisor:
    """Owner of named child processes over one data folder. Use it as a context manager, from the main thread."""

    def __init__(
        self,
        data: Path,
        *,
        on_event: Callable[[ChildEvent], None] | None = None,
        policy: RestartPolicy | None = None,
    ) -> None:
        self.logs = data / "logs"
        self._on_event = on_event or (lambda _event: None)
        self._policy = policy or RestartPolicy()
        self._data_lock = DataFolderLock(data)
        self._guard = GuardClient()
        self._entries: dict[str, _Entry] = {}
        self._batches = itertools.count()
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._skip_grace = threading.Event()
        self._stopped = threading.Event()
        self._failure: ChildFailed | None = None
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._old_handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Lock the data folder and start watching. Raises DataFolderLocked when another supervisor holds it."""
        self._data_lock.acquire()
        atexit.register(self.stop)
        self._install_handlers()
        self._guard.start()
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self, spec: ChildSpec) -> None:
        """Start a child and wait until it is ready. Children stop in the reverse order of their starts.

        Raises ChildFailed, with the end of the log, when the child ends or is not ready in time. It is then not restarted.
        """
        for _name in self.start_together([spec]):
            pass

    def start_together(self, specs: Sequence[ChildSpec]) -> Iterator[str]:
        """Start children that do not need each other at the same time, and yield their names in order as they become ready.

        Raises ChildFailed as `start` does, for the first one in order that failed.
        """
        self.check()
        batch = next(self._batches)
        entries = {spec.name: _Entry(Child(spec, self.logs, self._guard), batch) for spec in specs}
        with self._lock:
            if self._closing.is_set() or not self._thread.is_alive():
                raise DemoError("the supervisor is not running: use it as a context manager")
            for name in entries:
                if name in self._entries and self._entries[name].status is not _Status.ENDED:
                    raise DemoError(f"a child named {name} is running already")
                self._entries.pop(name, None)
            self._entries |= entries
        self._wake.set()
        for name, entry in entries.items():
            while not entry.start_finished.wait(0.5):
                self.check()
            if entry.failure is not None:
                raise entry.failure
            yield name

    def stop_child(self, name: str) -> None:
        """Stop one child; it is not restarted. A child of this name may be started again."""
        with self._lock:
            self._stop_entries([self._entries[name]])

    def start_child(self, name: str) -> None:
        """Start a child again that `stop_child` stopped, and wait until it is ready. Raises ChildFailed as `start` does."""
        self.start(self._entries[name].child.spec)

    def kill(self, name: str) -> int:
        """Send SIGKILL to the child's whole group and return the leader's pid. The child is restarted as after any crash."""
        return self._entries[name].child.kill()

    def pid(self, name: str) -> int | None:
        """Return the child's pid; None while it does not run."""
        return self._entries[name].child.pid

    def is_ready(self, name: str) -> bool:
        """Return whether the child runs and has passed its probe since its last start."""
        return self._entries[name].status is _Status.READY

    def exit_code(self, name: str) -> int | None:
        """Return the exit code of the child's last ended run; None before the first end."""
        return self._entries[name].exit_code

    @property
    def restarts(self) -> dict[str, int]:
        """How often each child was restarted after a crash."""
        with self._lock:
            return {name: entry.restarts for name, entry in self._entries.items()}

    @property
    def guard_pid(self) -> int | None:
        """The guard's pid, for fault tests."""
        return self._guard.pid

    def check(self) -> None:
        """Raise ChildFailed if a child crashed too often and all were stopped."""
        if self._failure is not None:
            raise self._failure

    def wait(self, seconds_max: float | None = None) -> None:
        """Block until everything has stopped, or for `seconds_max`. Raises ChildFailed when a child crashed too often."""
        self._stopped.wait(seconds_max)
        self.check()

    def stop(self) -> None:
        """Stop all children, last started first, each with SIGKILL after its grace period. Safe to call twice."""
        atexit.unregister(self.stop)
        self._closing.set()
        self._wake.set()
        while self._thread.is_alive():
            try:
                self._thread.join(0.2)
            except (KeyboardInterrupt, SystemExit):
                self._skip_grace.set()  # a second signal ends the grace period
        self._restore_handlers()
        self._data_lock.release()

    # The methods below run in the watching thread.

    def _run(self) -> None:
        try:
            while not self._closing.is_set() and self._failure is None:
                self._wake.wait(_TICK_SECONDS)
                self._wake.clear()
                self._guard.restart_if_dead()
                with self._lock:
                    for entry in list(self._entries.values()):
                        if not self._closing.is_set():  # a probe can take seconds on a busy machine
                            self._check_child(entry)
        except Exception as error:
            self._failure = ChildFailed(f"the supervisor itself failed: {error!r}")
            raise
        finally:
            with self._lock:
                for _batch, entries in itertools.groupby(reversed(self._entries.values()), key=lambda entry: entry.batch):
                    self._stop_entries(list(entries))
            self._guard.stop()
            self._stopped.set()

    def _check_child(self, entry: _Entry) -> None:
        """Check one child: spawn it if it is due, notice its end, then its readiness, then a timeout."""
        now = time.monotonic()
        match entry.status:
            case _Status.DUE if now >= entry.due_at:
                self._spawn(entry)
            case _Status.STARTING if (code := entry.child.poll()) is not None:
                self._on_exit(entry, f"{describe_exit(code)} while starting", code)
            case _Status.STARTING if entry.child.is_ready():
                entry.status = _Status.READY
                self._emit(entry, ChildEventKind.READY, "it runs again" if entry.restarts else "")
                entry.start_finished.set()
            case _Status.STARTING if now > entry.deadline:
                description = entry.child.describe_timeout()
                # The stop writes lines of its own, which would hide what the process was doing.
                failure = entry.child.explain(f"{entry.child.spec.name} {description}")
                entry.child.stop(self._skip_grace)
                self._on_exit(entry, description, None, failure)
            case _Status.READY if (code := entry.child.poll()) is not None:
                self._on_exit(entry, describe_exit(code), code)

    def _spawn(self, entry: _Entry) -> None:
        try:
            entry.child.spawn()
        except (DemoError, OSError) as error:
            self._on_exit(entry, f"could not be started: {error}", None)
            return
        entry.status = _Status.STARTING
        entry.deadline = time.monotonic() + entry.child.spec.ready_seconds_max
        self._emit(entry, ChildEventKind.STARTED, f"pid {entry.child.pid}")

    def _on_exit(self, entry: _Entry, description: str, code: int | None, failure: str | None = None) -> None:
        """Handle an end, in this order: one-off task done, first start failed, no restart wanted, too many crashes, restart.

        `failure` is the message if this was the first start; by default the description with the end of the log.
        """
        spec = entry.child.spec
        entry.exit_code = code
        if not spec.restart and spec.ready is None and code == 0:
            entry.status = _Status.ENDED
            self._emit(entry, ChildEventKind.FINISHED, description)
            entry.start_finished.set()
            return
        if not entry.start_finished.is_set():
            entry.status = _Status.ENDED
            entry.failure = ChildFailed(failure or entry.child.explain(f"{spec.name} {description}"))
            self._emit(entry, ChildEventKind.CRASHED, description)
            entry.start_finished.set()
            return
        if not spec.restart:
            entry.status = _Status.ENDED
            self._emit(entry, ChildEventKind.FINISHED, description)
            return
        now = time.monotonic()
        entry.crashes.append(now)
        while entry.crashes[0] < now - self._policy.window_seconds:
            entry.crashes.popleft()
        if (count := len(entry.crashes)) > self._policy.crashes_max:
            entry.status = _Status.ENDED
            headline = f"{spec.name} crashed {count} times in {self._policy.window_seconds:g} s, the last time it {description}"
            self._failure = ChildFailed(entry.child.explain(f"{headline}: everything is stopped"))
            self._emit(entry, ChildEventKind.ABANDONED, headline)
            return
        delay = self._policy.delay_seconds(count)
        entry.status = _Status.DUE
        entry.due_at = now + delay
        entry.restarts += 1
        self._emit(entry, ChildEventKind.CRASHED, f"{description}, starting again in {delay:g} s")

    def _stop_entries(self, entries: Sequence[_Entry]) -> None:
        """Stop children that do not need each other at the same time."""
        running = [entry for entry in entries if entry.child.pid is not None]
        for entry in running:
            entry.child.request_stop()
            self._emit(entry, ChildEventKind.STOPPING)
        for entry in running:
            entry.child.await_stop(self._skip_grace)
            self._emit(entry, ChildEventKind.STOPPED)
        for entry in entries:
            entry.status = _Status.ENDED
            if not entry.start_finished.is_set():
                entry.failure = ChildFailed(f"{entry.child.spec.name} was stopped before it was ready")
                entry.start_finished.set()

    def _emit(self, entry: _Entry, kind: ChildEventKind, detail: str = "") -> None:
        # A callback that prints fails once the terminal is gone; watching and stopping must go on.
        with suppress(Exception):
            self._on_event(ChildEvent(entry.child.spec.name, kind, detail))

    # Only the main thread may set signal handlers; in another thread (tests) the default handling stays.

    def _install_handlers(self) -> None:
        if threading.current_thread() is threading.main_thread():
            handlers: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: _exit_on_signal}
            if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
                handlers[signal.SIGHUP] = _exit_on_signal
            self._old_handlers = {number: signal.signal(number, handler) for number, handler in handlers.items()}

    def _restore_handlers(self) -> None:
        while self._old_handlers:
            number, handler = self._old_handlers.popitem()
            signal.signal(number, handler)


def _exit_on_signal(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
