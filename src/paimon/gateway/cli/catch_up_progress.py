"""Show how far the listener is behind: a progress bar at a terminal, a log line at intervals elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from paimon.application.event_listener.ingest.catch_up import CatchUpCallback, CatchUpProgress, ProgressLogger


@contextmanager
def catch_up_progress(console: Console) -> Iterator[CatchUpCallback]:
    """Give the callback that shows the progress. The bar is on screen only while the listener is behind."""
    if not console.is_terminal:
        yield ProgressLogger()
        return
    text_column = TextColumn("{task.fields[left]} blocks left, {task.fields[rate]} events/s")
    bar = Progress(
        TextColumn("catching up"), BarColumn(), TaskProgressColumn(), text_column, TimeRemainingColumn(), console=console
    )
    task = bar.add_task("blocks", total=None, left="", rate="")

    def report_progress(progress: CatchUpProgress) -> None:
        left, rate = f"{progress.blocks_left:,}", f"{progress.logs_per_second:,.0f}"
        bar.update(task, completed=progress.block, total=progress.last, left=left, rate=rate)
        bar.start()
        if progress.blocks_left == 0:
            bar.stop()

    try:
        yield report_progress
    finally:
        bar.stop()
