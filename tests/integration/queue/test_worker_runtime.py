"""A worker's process ends when its background work does: without the relay it would look well and publish nothing."""

import asyncio
import os
import queue
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from structlog.testing import capture_logs

from paimon.composition import AppContext
from paimon.gateway.tasks.runtime import WorkerRuntime
from paimon.settings import Settings

pytestmark = pytest.mark.integration

Work = Callable[[AppContext], Coroutine[Any, Any, None]]


async def _sleep(_context: AppContext) -> None:
    await asyncio.sleep(3_600)


async def _return(_context: AppContext) -> None:
    return None


async def _fail(_context: AppContext) -> None:
    raise ValueError("a defect of ours")


@pytest.mark.parametrize("work", [_return, _fail], ids=lambda work: work.__name__)
def test_process_fails_when_its_background_work_ends(settings: Settings, monkeypatch: pytest.MonkeyPatch, work: Work) -> None:
    codes: queue.Queue[int] = queue.Queue()
    monkeypatch.setattr(os, "_exit", codes.put)
    runtime = WorkerRuntime(settings)
    with capture_logs() as lines:
        runtime.start(work)
        try:
            assert codes.get(timeout=60) != 0
        finally:
            runtime.stop()
    assert "worker.background_ended" in [line["event"] for line in lines]


def test_process_goes_on_when_its_background_work_is_stopped(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    codes: queue.Queue[int] = queue.Queue()
    monkeypatch.setattr(os, "_exit", codes.put)
    runtime = WorkerRuntime(settings)
    runtime.start(_sleep)
    runtime.stop()
    assert codes.empty()
