"""Start the guard process (guard.py) and tell it which process groups run."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Lock

_GUARD = Path(__file__).with_name("guard.py")


class GuardClient:
    """The supervisor's end of the guard. Thread-safe. A killed guard is replaced at the next message or `restart_if_dead`."""

    def __init__(self) -> None:
        self._groups: dict[int, signal.Signals] = {}
        self._guard: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._lock = Lock()

    @property
    def pid(self) -> int | None:
        """The guard's pid; None while it is not started."""
        return self._guard.pid if self._guard is not None else None

    def start(self) -> None:
        """Start the guard."""
        with self._lock:
            self._start()

    def add(self, pid: int, stop_signal: signal.Signals) -> None:
        """Report a process group that has started."""
        with self._lock:
            self._groups[pid] = stop_signal
            self._send(f"+ {pid} {int(stop_signal)}\n")

    def remove(self, pid: int) -> None:
        """Report a process group that has ended."""
        with self._lock:
            if self._groups.pop(pid, None) is not None:
                self._send(f"- {pid}\n")

    def restart_if_dead(self) -> None:
        """Replace a guard that has ended."""
        with self._lock:
            if self._guard is not None and self._guard.poll() is not None:
                self._start()

    def stop(self) -> None:
        """End the guard. Call it when every group has ended: the guard kills those still listed."""
        with self._lock:
            if self._guard is not None:
                self._close(self._guard)
                self._guard = None

    def _start(self) -> None:
        if self._guard is not None:
            self._close(self._guard)
        reading, self._pipe = os.pipe()
        # Its own session, so that the terminal's Ctrl-C and hang-up do not reach it.
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD)],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        os.close(reading)
        for pid, stop_signal in self._groups.items():
            self._write(f"+ {pid} {int(stop_signal)}\n")

    def _send(self, line: str) -> None:
        if self._guard is None:
            return
        try:
            self._write(line)
        except BrokenPipeError:
            self._start()

    def _write(self, line: str) -> None:
        os.write(self._pipe, line.encode())  # a short line is written whole or not at all

    def _close(self, guard: subprocess.Popen[bytes]) -> None:
        os.close(self._pipe)
        guard.wait()
