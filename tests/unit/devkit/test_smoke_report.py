"""The smoke test's report counts the events of processes that were killed while they wrote."""

from pathlib import Path

import pytest

from paimon_devkit.stack.smoke_command import count_events

pytestmark = pytest.mark.unit

LINE = b'{"event": "log.recorded", "process": "worker"}'


@pytest.mark.parametrize("torn", [b'{"event": "log.rec', b'{"event"', b'{"a": 1}' + LINE, b"{", LINE + b"x"])
def test_torn_line_is_left_out_of_the_counts(tmp_path: Path, torn: bytes) -> None:
    (tmp_path / "worker.log").write_bytes(b"\n".join([LINE, torn, b"worker: Warm shutdown", LINE, b'{"level": "info"}', b""]))
    assert count_events(tmp_path, "worker") == "2 log.recorded, 1 ?"


def test_process_that_logged_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "api.log").write_bytes(b"")
    assert count_events(tmp_path, "api") == "(nothing logged)"
