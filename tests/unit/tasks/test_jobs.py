"""Tests that the workers have a task for every scheduled job."""

import pytest

from paimon.application.scheduler.jobs import jobs
from paimon.gateway.tasks.app import TASKS
from paimon.settings import ScheduleSettings

pytestmark = pytest.mark.unit


def test_every_scheduled_job_has_a_task() -> None:
    enqueued = [job.task for job in jobs(ScheduleSettings())]
    assert len(enqueued) == len(set(enqueued))
    assert set(enqueued) <= TASKS.keys()
    assert "paimon.apply_retention" in enqueued
