"""Tests of the lines that Celery and APScheduler write: JSON lines with the job's name."""

import json
import subprocess
import sys

import pytest
from tests.support.paths import ROOT

pytestmark = pytest.mark.unit

PROGRAM = """
import asyncio, sys
from paimon.infrastructure.observability.logging import configure_logging

configure_logging(process="tests", json_lines=True)


async def run_apscheduler():
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

    async def fail():
        raise ValueError("of the job")

    scheduler = AsyncIOScheduler(timezone="UTC")
    scheduler.add_job(fail, id="paimon.reconcile", name="paimon.reconcile")
    scheduler.start()
    await asyncio.sleep(0.2)
    scheduler.shutdown(wait=False)


def run_celery():
    from celery import Celery, signals

    app = Celery("tests", broker="memory://")
    app.conf.update(task_ignore_result=True)

    @app.task(name="paimon.settle_due")
    def fail():
        raise ValueError("of the task")

    from celery.app.trace import build_tracer

    build_tracer("paimon.settle_due", app.tasks["paimon.settle_due"], app=app)("an-id", (), {}, {"id": "an-id"})


def run_worker():
    import logging
    from tests.support.redis import redis_settings
    from paimon.gateway.tasks.app import create_worker
    from paimon.settings import Settings

    app = create_worker(Settings.model_construct(redis=redis_settings("redis://127.0.0.1:1/0")), queues=["high"])
    app.log.setup(loglevel="WARNING")  # as the worker does at its start
    logging.getLogger("celery.worker.strategy").error("a task of no known name", exc_info=ValueError("of the worker"))


asyncio.run(run_apscheduler()) if sys.argv[1] == "apscheduler" else run_worker() if sys.argv[1] == "worker" else run_celery()
"""


@pytest.mark.parametrize(
    ("library", "fields"),
    [
        ("apscheduler", {"task": "paimon.reconcile", "logger": "apscheduler.executors.default"}),
        ("celery", {"task": "paimon.settle_due", "task_id": "an-id", "logger": "celery.app.trace"}),
        ("worker", {"logger": "celery.worker.strategy"}),
    ],
)
def test_failed_job_of_a_library_is_a_json_line_with_its_name(library: str, fields: dict[str, str]) -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM, library], capture_output=True, text=True, check=True, cwd=ROOT)
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert len(lines) == 1, ran.stderr
    assert lines[0].items() >= (fields | {"level": "error", "process": "tests"}).items()
    assert "ValueError: of the" in lines[0]["exception"]
