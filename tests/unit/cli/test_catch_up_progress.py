"""What is shown of a catch-up: a bar at a terminal, a line now and then in the log."""

import io

import pytest
from rich.console import Console
from structlog.testing import capture_logs

from paimon.application.event_listener.ingest.catch_up import CatchUpProgress, CatchUpTracker, ProgressLogger
from paimon.gateway.cli.catch_up_progress import catch_up_progress

pytestmark = pytest.mark.unit


def test_rates_and_the_time_left_follow_from_what_was_done() -> None:
    along = CatchUpProgress(start=100, block=1_100, last=5_100, logs=500, seconds=10.0)
    assert (along.blocks_left, along.blocks_per_second, along.logs_per_second) == (4_000, 100, 50)
    assert (along.percent, along.eta_seconds) == (20, 40)


def test_logs_are_counted_from_the_beginning() -> None:
    seen: list[CatchUpProgress] = []
    progress = CatchUpTracker(10, 30, seen.append)
    progress.advance_to(20, logs=7)
    progress.advance_to(30, logs=5)
    assert [(each.start, each.block, each.last, each.logs) for each in seen] == [(10, 20, 30, 7), (10, 30, 30, 12)]


def test_the_log_has_a_line_now_and_then_and_one_at_the_end() -> None:
    def lines(tell: ProgressLogger) -> list[int]:
        with capture_logs() as logs:
            for block in (1, 2, 3, 4):
                tell(CatchUpProgress(0, block, 4, block * 10, 2.0))
        assert all(each["event"] == "listener.catching_up" for each in logs)
        return [each["block"] for each in logs]

    assert lines(ProgressLogger(interval_seconds=3_600)) == [4]
    assert lines(ProgressLogger(interval_seconds=0)) == [1, 2, 3, 4]


def test_a_terminal_has_a_bar_that_goes_when_it_is_over() -> None:
    screen = io.StringIO()
    with catch_up_progress(Console(file=screen, force_terminal=True, width=120)) as tell, capture_logs() as logs:
        assert screen.getvalue() == "", "nothing while the listener is not behind"
        tell(CatchUpProgress(0, 1_000, 4_000, 500, 10.0))
        tell(CatchUpProgress(0, 4_000, 4_000, 2_000, 20.0))
        once = screen.getvalue()
        tell(CatchUpProgress(4_000, 5_000, 6_000, 10, 1.0))
        assert "1,000 blocks left, 10 events/s" in screen.getvalue().removeprefix(once), "behind once more"
        tell(CatchUpProgress(4_000, 6_000, 6_000, 20, 2.0))
        told = screen.getvalue()
    assert "catching up" in told
    assert "0 blocks left, 100 events/s" in told
    assert logs == []
    assert screen.getvalue() == told, "it is over"


def test_without_a_terminal_there_is_the_log() -> None:
    with catch_up_progress(Console(file=io.StringIO())) as tell:
        assert isinstance(tell, ProgressLogger)
