"""The progress of a catch-up is a bar at a terminal, and a log line at intervals elsewhere."""

import io

import pytest
from rich.console import Console
from structlog.testing import capture_logs

from paimon.application.event_listener.ingest.catch_up import CatchUpProgress, CatchUpTracker, ProgressLogger
from paimon.gateway.cli.catch_up_progress import catch_up_progress

pytestmark = pytest.mark.unit


def test_progress_computes_rates_and_remaining_time() -> None:
    progress = CatchUpProgress(start=100, block=1_100, last=5_100, logs=500, seconds=10.0)
    assert (progress.blocks_left, progress.blocks_per_second, progress.logs_per_second) == (4_000, 100, 50)
    assert (progress.percent, progress.eta_seconds) == (20, 40)


def test_tracker_counts_logs_from_the_start() -> None:
    reports: list[CatchUpProgress] = []
    tracker = CatchUpTracker(10, 30, reports.append)
    tracker.advance_to(20, logs=7)
    tracker.advance_to(30, logs=5)
    assert [(report.start, report.block, report.last, report.logs) for report in reports] == [(10, 20, 30, 7), (10, 30, 30, 12)]


def test_logger_writes_a_line_at_intervals_and_at_the_end() -> None:
    def logged_blocks(report_progress: ProgressLogger) -> list[int]:
        with capture_logs() as logs:
            for block in (1, 2, 3, 4):
                report_progress(CatchUpProgress(0, block, 4, block * 10, 2.0))
        assert all(line["event"] == "listener.catching_up" for line in logs)
        return [line["block"] for line in logs]

    assert logged_blocks(ProgressLogger(interval_seconds=3_600)) == [4]
    assert logged_blocks(ProgressLogger(interval_seconds=0)) == [1, 2, 3, 4]


def test_terminal_shows_a_bar_until_the_catch_up_ends() -> None:
    screen = io.StringIO()
    with catch_up_progress(Console(file=screen, force_terminal=True, width=120)) as report_progress, capture_logs() as logs:
        assert screen.getvalue() == "", "no bar while the listener is not behind"
        report_progress(CatchUpProgress(0, 1_000, 4_000, 500, 10.0))
        report_progress(CatchUpProgress(0, 4_000, 4_000, 2_000, 20.0))
        first_bar = screen.getvalue()
        report_progress(CatchUpProgress(4_000, 5_000, 6_000, 10, 1.0))
        assert "1,000 blocks left, 10 events/s" in screen.getvalue().removeprefix(first_bar), "the bar is back"
        report_progress(CatchUpProgress(4_000, 6_000, 6_000, 20, 2.0))
        output = screen.getvalue()
    assert "catching up" in output
    assert "0 blocks left, 100 events/s" in output
    assert logs == []
    assert screen.getvalue() == output, "no bar after the end"


def test_log_is_used_without_a_terminal() -> None:
    with catch_up_progress(Console(file=io.StringIO())) as report_progress:
        assert isinstance(report_progress, ProgressLogger)
