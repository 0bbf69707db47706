"""`paimon walk`: the main job end to end, headless, with or without processes being killed on the way."""

import asyncio
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import orjson
import typer

from paimon.gateway.cli.process import explained
from paimon_devkit.stack.app_processes import HOUSE_PROCESSES
from paimon_devkit.stack.chaos import Chaos
from paimon_devkit.stack.demo_run import tell_deaths, timed
from paimon_devkit.stack.demo_stack import Stack
from paimon_devkit.stack.errors import DataFolderUnusable
from paimon_devkit.stack.smoke import Walk
from paimon_devkit.stack.supervisor import RestartPolicy, Supervisor

app = typer.Typer()


@app.command()
def walk(
    data: Annotated[
        Path | None, typer.Option(help="A new or empty folder to keep the walk's data in; a temporary one otherwise.")
    ] = None,
    kills: Annotated[int, typer.Option(min=0, help="SIGKILL listener, worker and signer so often on the way.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the kills.")] = 1,
) -> None:
    """Walk five redemptions from request to settlement, headless, and compare the books with the chain."""
    folder = (data or Path(tempfile.mkdtemp(prefix="paimon-walk-", dir="/var/tmp"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    with explained():
        if any(folder.iterdir()):
            raise DataFolderUnusable(f"{folder} is not empty: the walk needs a new folder, since it starts from nothing")
        _run_walk(folder, kills=kills, seed=seed)
        if data is None:
            shutil.rmtree(folder, ignore_errors=True)


def _say(line: str) -> None:
    print(line, flush=True)


def _run_walk(data: Path, *, kills: int, seed: int) -> None:
    began = time.monotonic()
    stack = Stack(data, say=timed(), fast=True)
    policy = RestartPolicy(first_delay_seconds=0.1, delay_seconds_max=0.3, deaths_max=1_000) if kills else None
    _say(f"Walking one round of redemptions; data and logs in {data}")
    with Supervisor(data, policy=policy, on_event=tell_deaths if not kills else None) as supervisor:
        stack.bring_up(supervisor)
        chaos = Chaos(supervisor, kills=kills, seed=seed, say=_say)
        chaos.start()
        laps = 0
        try:
            while laps == 0 or not chaos.done:
                laps += 1
                asyncio.run(Walk(stack, _say).run())
        finally:
            chaos.stop()
        _say("\n   what each process did (log events)")
        for name in HOUSE_PROCESSES:
            _say(f"     {name:<10} {_deeds(data / 'logs', name)}")
        asyncio.run(Walk(stack, _say).close_the_books())
        if kills:
            _say(f"killed {chaos.killed.total()} times with seed {seed}: {dict(chaos.killed)}, in {laps} laps")
    _say(f"walked in {time.monotonic() - began:.0f} s")


def _deeds(logs: Path, name: str) -> str:
    """How often a process said what, from its log of this run."""
    counted: Counter[str] = Counter()
    for line in (logs / f"{name}.log").read_bytes().splitlines():
        if line.startswith(b"{"):
            counted[orjson.loads(line).get("event", "?")] += 1
    return ", ".join(f"{count} {event}" for event, count in counted.most_common(8)) or "(nothing logged)"
