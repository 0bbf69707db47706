"""Tests of the lines about an outage: one when it begins, one a minute, one when it ends, each with a count."""

import pytest
from structlog.testing import capture_logs

from paimon.infrastructure.observability.outages import Outages

pytestmark = pytest.mark.unit


def test_outage_of_many_tasks_is_one_line_a_minute() -> None:
    now = 0.0
    outages = Outages(clock=lambda: now)
    with capture_logs() as lines:
        for second in range(150):
            now = float(second)
            outages.record_failure("database", "refused", task=f"paimon.task_{second % 3}")
        for task in range(3):
            outages.record_success(f"paimon.task_{task}")
        outages.record_success("paimon.task_0")
    assert [(line["event"], line.get("failures")) for line in lines] == [
        ("outage.began", None),
        ("outage.continues", 61),
        ("outage.continues", 121),
        ("outage.ended", 150),
    ]
    assert lines[1]["tasks"] == ["paimon.task_0", "paimon.task_1", "paimon.task_2"]
    assert lines[3]["seconds"] == 149


def test_outage_lasts_while_one_of_its_tasks_fails() -> None:
    outages = Outages(clock=lambda: 0.0)
    with capture_logs() as lines:
        outages.record_failure("node", "no endpoint answers", task="a")
        outages.record_failure("node", "no endpoint answers", task="b")
        outages.record_success("a")
        outages.record_success("never failed")
        outages.record_failure("node", "no endpoint answers", task="b")
        outages.record_success("b")
    assert [line["event"] for line in lines] == ["outage.began", "outage.ended"]
    assert lines[1]["failures"] == 3
