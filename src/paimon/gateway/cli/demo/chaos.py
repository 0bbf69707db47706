"""Kills processes of the house at random moments while the walk runs, as an unkind machine would."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Final

from paimon.gateway.cli.demo.errors import DemoError
from paimon.gateway.cli.demo.supervisor import Supervisor

VICTIMS: Final = ("listener", "worker", "signer")
_PAUSE_SECONDS: Final = (0.3, 3.0)


class Chaos:
    """SIGKILLs a random victim after random pauses until `kills` are done; the supervisor starts it again."""

    def __init__(self, supervisor: Supervisor, *, kills: int, seed: int, say: Callable[[str], None]) -> None:
        self._supervisor = supervisor
        self._wanted = kills
        self._random = random.Random(seed)  # noqa: S311 — reproducible, not secret
        self._say = say
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos", daemon=True)
        self.killed: Counter[str] = Counter()

    @property
    def done(self) -> bool:
        return self.killed.total() >= self._wanted

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self.done:
            if self._over.wait(self._random.uniform(*_PAUSE_SECONDS)):
                return
            victim = self._random.choice(VICTIMS)
            try:
                pid = self._supervisor.kill(victim)
            except DemoError:
                continue  # it was not running: still coming back from its last death
            self.killed[victim] += 1
            self._say(f"   ✗ SIGKILL {victim} (pid {pid}), kill {self.killed.total()} of {self._wanted}")
