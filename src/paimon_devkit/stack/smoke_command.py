"""`paimon smoke`: take redemptions through every channel on a new demo, with or without killing processes meanwhile."""

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import orjson
import typer

from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error
from paimon_devkit.stack.app_processes import APP_PROCESSES
from paimon_devkit.stack.chaos import Chaos
from paimon_devkit.stack.data_folder_checks import prepare_data_folder
from paimon_devkit.stack.demo_run import EventPrinter, timed_printer
from paimon_devkit.stack.demo_stack import DemoStack
from paimon_devkit.stack.errors import DataFolderUnusable
from paimon_devkit.stack.smoke import SmokeRun
from paimon_devkit.stack.supervisor import RestartPolicy, Supervisor

app = CommandApp()


@app.command()
def smoke(
    data: Annotated[
        Path | None,
        typer.Option(help="A new or empty folder to keep the data in. By default a temporary one, deleted on success."),
    ] = None,
    kills: Annotated[int, typer.Option(min=0, help="How often to kill listener, worker or signer with SIGKILL.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the kills.")] = 1,
) -> None:
    """Take five redemptions from request to settlement on a new demo.

    The command ends with a comparison of the recorded state with the chain, and fails unless they agree.
    """
    folder = (data or Path(tempfile.mkdtemp(prefix="paimon-smoke-", dir="/var/tmp"))).resolve()
    with exit_on_error():
        if folder.is_dir() and any(folder.iterdir()):
            raise DataFolderUnusable(f"{folder} is not empty: the smoke test starts from nothing, so name a new folder")
        prepare_data_folder(folder)
        _run_smoke(folder, kills=kills, seed=seed)
        if data is None:
            shutil.rmtree(folder, ignore_errors=True)


def _print_line(line: str) -> None:
    print(line, flush=True)


def _run_smoke(data: Path, *, kills: int, seed: int) -> None:
    began = time.monotonic()
    stack = DemoStack(data, print_line=timed_printer(), fast=True)
    policy = RestartPolicy(first_delay_seconds=0.1, delay_seconds_max=0.3, crashes_max=1_000) if kills else None
    _print_line(f"Smoke test: five redemptions from request to settlement; data and logs in {data}")
    with Supervisor(data, policy=policy, on_event=EventPrinter() if not kills else None) as supervisor:
        stack.start(supervisor)
        chaos = Chaos(supervisor, kills=kills, seed=seed, print_line=_print_line)
        chaos.start()
        rounds = 0
        try:
            while rounds == 0 or not chaos.done:
                rounds += 1
                asyncio.run(SmokeRun(stack, _print_line).run())
        finally:
            chaos.stop()
        _print_line("\n   log events of each process")
        for name in APP_PROCESSES:
            _print_line(f"     {name:<10} {count_events(data / 'logs', name)}")
        asyncio.run(SmokeRun(stack, _print_line).verify_final_state())
        if kills:
            _print_line(f"killed {chaos.killed.total()} times with seed {seed}: {dict(chaos.killed)}, in {rounds} rounds")
    _print_line(f"smoke test passed in {time.monotonic() - began:.0f} s")


def count_events(logs: Path, name: str) -> str:
    """Count the log events of one process in this run; return the most frequent.

    A process that was killed while it wrote leaves a part of a line, to which the next one's first line is joined.
    """
    event_counts: Counter[str] = Counter()
    for line in (logs / f"{name}.log").read_bytes().splitlines():
        if line.startswith(b"{"):
            with contextlib.suppress(orjson.JSONDecodeError):
                event_counts[orjson.loads(line).get("event", "?")] += 1
    return ", ".join(f"{count} {event}" for event, count in event_counts.most_common(8)) or "(nothing logged)"
