"""As many at a time as a limit that may change says; who comes first goes first."""

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType


class Gate:
    """Use as an async context manager around what is to be limited."""

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.busy = 0

    async def __aenter__(self) -> None:
        if not self._waiting and self.busy < self._limit():
            self.busy += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            if not turn.cancelled():  # let in and cancelled at the same moment
                self._leave()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        self.busy -= 1
        while self._waiting and self.busy < self._limit():
            turn = self._waiting.popleft()
            if not turn.done():  # cancelled, and its task has not come to know
                self.busy += 1
                turn.set_result(None)
