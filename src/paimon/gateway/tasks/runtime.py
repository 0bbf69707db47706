"""The runtime of a worker process: one long-lived event loop, with the application context built on it after the fork.

A Celery task is synchronous: it gives its coroutine to this loop and waits. The relay runs on the same loop in every worker
process; SKIP LOCKED divides the messages among them.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, Final, TypeVar

import structlog
import uvloop
from billiard.process import current_process

from paimon.composition import AppContext, open_app_context
from paimon.infrastructure.observability.exposition import serve_metrics
from paimon.settings import Settings

log = structlog.get_logger(__name__)

T = TypeVar("T")

_EXIT_FAILED: Final = 2


def _pool_index() -> int:
    """Return the index of this process in the worker's pool, from 0. A process that replaces another has its index."""
    return int(getattr(current_process(), "index", 0))


def _end_process_if_failed(background: asyncio.Task[None]) -> None:
    """End this child process when its background work ended by itself: the worker starts another, with the work.

    Its unfinished task is delivered again. Without the relay, a worker would look well and publish nothing.
    """
    if not background.cancelled():
        log.critical("worker.background_ended", exc_info=background.exception())
        os._exit(_EXIT_FAILED)


class WorkerRuntime:
    """The event loop, its thread, the application context and the background tasks.

    Start it in the worker's child process, after the fork.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stack = AsyncExitStack()
        self._context: AppContext | None = None
        self._background: set[asyncio.Task[None]] = set()

    def start(self, *background: Callable[[AppContext], Coroutine[Any, Any, None]]) -> None:
        """Build the application context, then start the background work that runs until the process ends."""
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="paimon-loop", daemon=True)
        self._thread.start()
        self.run(self._open(background))

    async def _open(self, background: tuple[Callable[[AppContext], Coroutine[Any, Any, None]], ...]) -> None:
        self._context = await self._stack.enter_async_context(open_app_context(self._settings, process="worker"))
        metrics = self._settings.metrics
        port = None if metrics.worker_port is None else metrics.worker_port + _pool_index()
        await self._stack.enter_async_context(
            serve_metrics("worker", metrics.host, port, self._context.new_metrics_scraper().collect)
        )
        for start in background:
            task = asyncio.create_task(start(self._context))
            task.add_done_callback(_end_process_if_failed)
            self._background.add(task)

    @property
    def context(self) -> AppContext:
        if self._context is None:
            raise RuntimeError("the worker's runtime is not started")
        return self._context

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for it."""
        if self._loop is None:
            raise RuntimeError("the worker's runtime is not started")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        """Stop the background work, close the application context, stop the loop."""

        async def close() -> None:
            for task in self._background:
                task.cancel()
            await asyncio.gather(*self._background, return_exceptions=True)
            await self._stack.aclose()

        if self._loop is None or self._thread is None:
            return
        self.run(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()
