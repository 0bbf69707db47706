"""How far behind the listener still is: at a terminal a bar with the time left, else a line in the log now and then."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from paimon.application.event_listener.ingest.catch_up import Along, LogLines, Tell


@contextmanager
def shown_catching_up(console: Console) -> Iterator[Tell]:
    """The bar is there only while the listener is behind."""
    if not console.is_terminal:
        yield LogLines()
        return
    words = TextColumn("{task.fields[left]} blocks left, {task.fields[rate]} events/s")
    bar = Progress(TextColumn("catching up"), BarColumn(), TaskProgressColumn(), words, TimeRemainingColumn(), console=console)
    task = bar.add_task("blocks", total=None, left="", rate="")

    def tell(along: Along) -> None:
        left, rate = f"{along.blocks_left:,}", f"{along.logs_per_second:,.0f}"
        bar.update(task, completed=along.block, total=along.last, left=left, rate=rate)
        bar.start()
        if along.blocks_left == 0:
            bar.stop()

    try:
        yield tell
    finally:
        bar.stop()
