"""What the demo prints of its processes: a crash, that one runs again, and what it stops; nothing of a usual start."""

import re

import pytest

from paimon_devkit.stack.child_events import ChildEvent, ChildEventKind
from paimon_devkit.stack.demo_run import EventPrinter

pytestmark = pytest.mark.unit


def test_crash_restart_and_stop_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    print_event = EventPrinter()
    for kind, detail in (
        (ChildEventKind.STARTED, "pid 1"),
        (ChildEventKind.READY, ""),
        (ChildEventKind.CRASHED, "was killed by SIGKILL, starting again in 0.2 s"),
        (ChildEventKind.STARTED, "pid 2"),
        (ChildEventKind.READY, "it runs again"),
        (ChildEventKind.STOPPING, ""),
        (ChildEventKind.STOPPED, ""),
    ):
        print_event(ChildEvent("worker", kind, detail))
    lines = [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()]
    assert lines[:3] == [
        "worker: crashed (was killed by SIGKILL, starting again in 0.2 s)",
        "worker: it runs again",
        "worker: stopping",
    ]
    assert re.fullmatch(r"worker: stopped after \d+\.\d s", lines[3])
    assert len(lines) == 4
