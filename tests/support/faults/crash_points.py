"""Every point at which a process can die in a coroutine, counted as it runs; and a death at the n-th of them.

A coroutine waits in one way only: it yields to the event loop. A statement, a commit, an exchange with the node or with
the signer suspends it at least once, since each answer arrives at a socket of the loop. Whoever drives the coroutine sees
every suspension, so none can be forgotten by whoever adds one. A task of its own would escape; that the driven code makes
none is for its test to say (see `waits`).

A death comes when what the coroutine waits for has happened and before it learns of it: the others have done all that was
asked of them, and nobody here knows. What lies between two suspensions is arithmetic. So point n is "n's answer is lost",
and "n was never asked" is point n - 1: a commit is died at just before it, and just after it with its acknowledgement lost.
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
"""A place in the source that waits: file below the package, line and column."""


@dataclass
class DrivenCoroutine:
    """Awaiting it runs `life`, and lets something happen at each of its waits."""

    coroutine: Coroutine[Any, Any, None]
    waits: int = field(default=0, init=False)

    def before_wait(self) -> None:
        """The life is about to wait for the `waits`-th time."""

    def after_wait(self) -> Generator[Any, Any, None]:
        """What it waited for has happened, and it does not know yet."""
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
            except BaseException as thrown:  # noqa: BLE001 — a timeout's cancellation, meant for the life
                error = thrown
            try:
                yield from self.after_wait()
            except BaseException as thrown:  # noqa: BLE001 — the same
                error = thrown


@dataclass
class CrashingCoroutine(DrivenCoroutine):
    """At its `crash_at`-th wait the process is killed; without a number, it notes where it waits."""

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
    """The package's own places in the chain of those who wait for each other, outermost first."""
    while waiting is not None:
        kind = next((each for each in ("cr", "ag", "gi") if hasattr(waiting, f"{each}_frame")), None)
        if kind is None or (frame := getattr(waiting, f"{kind}_frame")) is None:
            return
        path = frame.f_code.co_filename
        if path.startswith(str(SOURCE)):
            line, _, column, _ = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None))
            yield str(Path(path).relative_to(SOURCE)), line or 0, column or 0
        waiting = getattr(waiting, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")


def waits(folder: str) -> Iterator[WaitPoint]:
    """Every `await` and `async with` in the files of a folder below the package, read from the source.

    Refuses a file that imports asyncio: a task started there would wait out of sight.
    """
    for path in sorted((SOURCE / folder).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                named = [getattr(node, "module", None), *(each.name for each in node.names)]
                assert "asyncio" not in named, f"{path.name} may start tasks that nobody drives"
            if isinstance(node, ast.Await | ast.AsyncWith | ast.AsyncFor):
                yield str(path.relative_to(SOURCE)), node.lineno, node.col_offset
