"""Kill processes of the application at random moments while the smoke test runs."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from paimon_devkit.stack.errors import ChildFailed, DemoError
from paimon_devkit.stack.supervisor import Supervisor

KILLABLE: Final = ("listener", "worker", "signer")
_UPTIME_SECONDS: Final = (0.1, 3.0)
_READY_SECONDS_MAX: Final = 60.0


class Chaos:
    """Send SIGKILL to one process after another, each a random time after it became ready, until `kills` are done.

    The processes are drawn from a shuffled bag, so that each gets its share. The supervisor starts them again.
    """

    def __init__(self, supervisor: Supervisor, *, kills: int, seed: int, print_line: Callable[[str], None]) -> None:
        self._supervisor = supervisor
        self._kills = kills
        self._random = random.Random(seed)  # noqa: S311 — reproducible, not secret
        self._print_line = print_line
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos", daemon=True)
        self._failure: str | None = None
        self.killed: Counter[str] = Counter()

    @property
    def done(self) -> bool:
        """Whether all kills are done. Raises DemoError when a killed process did not become ready again."""
        if self._failure is not None:
            raise DemoError(self._failure)
        return self.killed.total() >= self._kills

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        bag: list[str] = []
        while self.killed.total() < self._kills:
            if not bag:
                bag = self._random.sample(KILLABLE, len(KILLABLE))
            process_name = bag.pop()
            if not self._wait_ready(process_name) or self._stopped.wait(self._random.uniform(*_UPTIME_SECONDS)):
                return
            try:
                pid = self._supervisor.kill(process_name)
            except ChildFailed:  # it has just ended by itself: its turn comes again once it is ready
                bag.append(process_name)
                continue
            self.killed[process_name] += 1
            self._print_line(f"   ✗ SIGKILL {process_name} (pid {pid}), kill {self.killed.total()} of {self._kills}")

    def _wait_ready(self, process_name: str) -> bool:
        deadline = time.monotonic() + _READY_SECONDS_MAX
        while not self._supervisor.is_ready(process_name):
            if self._stopped.wait(0.05):
                return False
            if time.monotonic() > deadline:
                self._failure = f"{process_name} was not ready again within {_READY_SECONDS_MAX:.0f} s after a kill"
                return False
        return True
