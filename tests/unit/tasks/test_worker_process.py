"""Tests of the worker as a process: it waits for its broker for ever, and says why it ended."""

import asyncio
import os
import signal
from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer
from celery import Celery
from celery.worker import state
from celery.worker.consumer.control import Control
from redis.exceptions import ConnectionError as ConnectionRefused
from structlog.testing import capture_logs
from tests.support.redis import redis_settings

from paimon.application.scheduler.jobs import jobs
from paimon.gateway.cli.process import EXIT_FAILED, run_until_signalled
from paimon.gateway.tasks.app import _synchronous, create_celery, run_worker, worker_exit_code
from paimon.gateway.tasks.runtime import WorkerRuntime
from paimon.gateway.tasks.scheduler import _enqueue
from paimon.infrastructure.observability.outages import Outages
from paimon.settings import ScheduleSettings, Settings

pytestmark = pytest.mark.unit


def celery_without_a_broker() -> Celery:
    settings = Settings.model_construct(redis=redis_settings("redis://127.0.0.1:1/0"))
    return create_celery(settings)


def test_worker_asks_for_its_broker_for_ever() -> None:
    app = celery_without_a_broker()
    tries = 0

    class EnoughTries(Exception):
        pass

    def count(_error: Exception, _interval: float) -> None:
        nonlocal tries
        tries += 1
        if tries == 250:
            raise EnoughTries

    with app.connection_for_read() as connection, pytest.raises(EnoughTries):
        connection.ensure_connection(count, app.conf.broker_connection_max_retries, interval_start=0, interval_step=0)


def test_worker_takes_no_remote_control() -> None:
    """Anyone who can write to Redis could send its messages: to shut down, to revoke, to limit."""
    app = celery_without_a_broker()
    consumer = SimpleNamespace(app=app, conninfo=app.connection_for_read())
    assert not Control.include_if(cast(Any, None), consumer)


@pytest.mark.parametrize(
    ("celery_code", "was_signalled", "expected"), [(None, False, 1), (0, False, 1), (70, False, 70), (1, True, 0), (0, True, 0)]
)
def test_worker_ends_with_success_only_after_a_signal(celery_code: int | None, was_signalled: bool, expected: int) -> None:
    assert worker_exit_code(celery_code, was_signalled=was_signalled) == expected


@pytest.mark.parametrize(("should_stop", "expected"), [(None, 1), (0, 0)])
def test_worker_that_returns_from_its_start_fails_without_a_signal(
    monkeypatch: pytest.MonkeyPatch, should_stop: int | None, expected: int
) -> None:
    """Celery's worker returns so after a bad item in its list, without a code."""
    app = celery_without_a_broker()
    monkeypatch.setattr(app, "Worker", lambda **_: SimpleNamespace(start=lambda: None, exitcode=None))
    monkeypatch.setattr(state, "should_stop", should_stop)
    assert run_worker(app, queues=["default"], concurrency=1) == expected


async def _end() -> None:
    return None


async def _cancel_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(1)


async def _send_signal() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(10)


@pytest.mark.parametrize("work", [_end, _cancel_itself])
def test_process_that_ends_by_itself_fails(work: Any) -> None:
    with pytest.raises(typer.Exit) as ending:
        run_until_signalled(work())
    assert ending.value.exit_code == EXIT_FAILED


def test_process_that_a_signal_ends_succeeds() -> None:
    run_until_signalled(_send_signal())


class InlineRuntime:
    """Runs each task on a loop of its own."""

    context = None

    def run(self, work: Any) -> None:
        asyncio.run(work)


def test_tasks_during_an_outage_are_one_line_and_a_defect_is_raised() -> None:
    outcomes: list[Exception | None] = [
        ConnectionRefused("Error 111"),
        ConnectionRefused("Error 111"),
        None,
        ValueError("ours"),
    ]

    async def work(_context: object) -> None:
        if (outcome := outcomes.pop(0)) is not None:
            raise outcome

    task = _synchronous("paimon.reconcile", cast(WorkerRuntime, InlineRuntime()), work, Outages())
    with capture_logs() as lines:
        for _ in range(3):
            task()
        with pytest.raises(ValueError, match="ours"):
            task()
    assert [(line["event"], line["service"]) for line in lines] == [("outage.began", "redis"), ("outage.ended", "redis")]
    assert lines[0]["task"] == "paimon.reconcile"
    assert lines[1]["failures"] == 2


def test_jobs_that_the_broker_does_not_take_are_one_line() -> None:
    app, outages = celery_without_a_broker(), Outages()
    with capture_logs() as lines:
        for job in jobs(ScheduleSettings())[:3]:
            asyncio.run(_enqueue(app, job, outages))
    assert [(line["event"], line["service"]) for line in lines] == [("outage.began", "broker")]
