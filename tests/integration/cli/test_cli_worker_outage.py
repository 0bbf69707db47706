"""Test of a worker whose Redis goes away and comes back."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli_processes import CliProcess, CliRunner, environment_of
from tests.support.redis import redis_settings

from paimon.settings import Settings
from paimon_devkit.stack.embedded_redis import EmbeddedRedis

pytestmark = pytest.mark.integration


def lines_of(process: CliProcess, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in process.output_text.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def broker_lines(process: CliProcess, event: str) -> list[dict[str, Any]]:
    return [line for line in lines_of(process, event) if line["service"] == "broker" and line["task"] == "consume"]


def test_worker_waits_for_redis_in_one_line_and_goes_on(settings: Settings, tmp_path: Path) -> None:
    redis = EmbeddedRedis(tmp_path, append_only=False)
    own_redis = settings.model_copy(update={"redis": redis_settings(redis.url)})
    with CliRunner() as cli:
        with redis:
            worker = cli.start("worker", env=environment_of(own_redis) | {"PAIMON_QUEUE__WORKER_CONCURRENCY": "1"})
            time.sleep(8)
        worker.wait_for_output("outage.began", seconds_max=30)
        time.sleep(7)  # Celery tries again at once, after 2 s and after 4 s more
        began = broker_lines(worker, "outage.began")
        with redis:
            worker.wait_for_output("outage.ended", seconds_max=60)
            worker.terminate()
            assert worker.wait() == 0
        assert len(began) == 1
        ended = [line for line in lines_of(worker, "outage.ended") if line["service"] == "broker"]
        assert ended[0]["failures"] >= 3
        assert "Traceback" not in worker.output_text
        assert "Trying again" not in worker.output_text, "Celery's own line of a try"
