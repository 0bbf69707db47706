"""A semaphore whose limit may change; tasks enter in the order in which they came."""

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType


class DynamicSemaphore:
    """Limit concurrent requests. Use it as an async context manager around each."""

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.active_requests = 0

    async def __aenter__(self) -> None:
        if not self._waiting and self.active_requests < self._limit():
            self.active_requests += 1
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            if not waiter.cancelled():  # admitted and cancelled at the same moment
                self._release()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        self.active_requests -= 1
        while self._waiting and self.active_requests < self._limit():
            waiter = self._waiting.popleft()
            if not waiter.done():  # its task was cancelled and has not run yet
                self.active_requests += 1
                waiter.set_result(None)
