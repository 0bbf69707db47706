"""Count every point at which a process can crash in a coroutine, and crash at one of them.

A coroutine waits in one way only: it yields to the event loop. A statement, a commit, an exchange with the node or with the
signer suspends it at least once, because each answer arrives at a socket of the loop. The code that drives the coroutine sees
every suspension, so that none can be forgotten. A task of its own would escape; `source_wait_points` refuses code that could
start one.

A crash comes when what the coroutine waits for has happened and before it learns of it: the other side has done all that was
requested, and this process does not know. The code between two suspensions only computes. So point n means "answer n is
lost", and "request n was never sent" is point n - 1: a commit is tested just before it, and just after it with its
acknowledgement lost.
"""

import ast
import os
import signal
from collections.abc import Coroutine, Generator, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import paimon

SOURCE: Final = Path(paimon.__file__).parent

WaitPoint = tuple[str, int, int]
"""A place in the source that waits: the file below the package, line and column."""


@dataclass
class DrivenCoroutine:
    """Runs the coroutine when it is awaited, with a hook at each of its waits."""

    coroutine: Coroutine[Any, Any, None]
    waits: int = field(default=0, init=False)

    def before_wait(self) -> None:
        """Called when the coroutine is about to wait for the `waits`-th time."""

    def after_wait(self) -> Generator[Any, Any, None]:
        """Called when what the coroutine waited for has happened and it does not know yet."""
        yield from ()

    def __await__(self) -> Generator[Any, Any, None]:
        error: BaseException | None = None
        while True:
            try:
                awaited = self.coroutine.send(None) if error is None else self.coroutine.throw(error)
            except StopIteration:
                return
            self.waits += 1
            self.before_wait()
            error = None
            try:
                yield awaited
            except BaseException as thrown:  # noqa: BLE001 — a timeout's cancellation, meant for the coroutine
                error = thrown
            try:
                yield from self.after_wait()
            except BaseException as thrown:  # noqa: BLE001 — as above
                error = thrown


@dataclass
class CrashingCoroutine(DrivenCoroutine):
    """Kills the process at the `crash_at`-th wait; without a number, it records where the coroutine waits."""

    crash_at: int | None = None
    points: list[tuple[WaitPoint, ...]] = field(default_factory=list)

    def before_wait(self) -> None:
        if self.crash_at is None:
            self.points.append(tuple(_stack(self.coroutine)))

    def after_wait(self) -> Generator[Any, Any, None]:
        if self.waits == self.crash_at:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from ()


def _stack(waiting: Any) -> Iterator[WaitPoint]:
    """Yield the package's own places in the chain of waiting frames, outermost first."""
    while waiting is not None:
        kind = next((prefix for prefix in ("cr", "ag", "gi") if hasattr(waiting, f"{prefix}_frame")), None)
        if kind is None or (frame := getattr(waiting, f"{kind}_frame")) is None:
            return
        path = frame.f_code.co_filename
        if path.startswith(str(SOURCE)):
            line, _, column, _ = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None))
            yield str(Path(path).relative_to(SOURCE)), line or 0, column or 0
        waiting = getattr(waiting, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")


def source_wait_points(folder: str) -> Iterator[WaitPoint]:
    """Yield every `await` and `async with` in the files of a folder below the package.

    Fails for a file that imports asyncio: a task started there would wait out of sight.
    """
    for path in sorted((SOURCE / folder).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [getattr(node, "module", None), *(alias.name for alias in node.names)]
                assert "asyncio" not in names, f"{path.name} may start tasks that this module cannot drive"
            if isinstance(node, ast.Await | ast.AsyncWith | ast.AsyncFor):
                yield str(path.relative_to(SOURCE)), node.lineno, node.col_offset
