"""What the scheduler enqueues, somebody does."""

import pytest

from paimon.application.scheduler.jobs import jobs
from paimon.gateway.tasks.app import TASKS
from paimon.settings import ScheduleSettings

pytestmark = pytest.mark.unit


def test_every_job_is_a_task_of_the_workers() -> None:
    enqueued = [job.task for job in jobs(ScheduleSettings())]
    assert len(enqueued) == len(set(enqueued))
    assert set(enqueued) <= TASKS.keys()
    assert "paimon.apply_retention" in enqueued
