"""`paimon replay`: the derived tables once more from the recorded logs, put right or, with `--check`, proven equal."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from sqlalchemy.ext.asyncio import AsyncEngine

from paimon.application.reconciliation.reconcile import NothingRecorded
from paimon.application.replay.rebuild import ProgressCallback as ProgressCallback
from paimon.application.replay.replay import ReplayCheck, ReplayResult, check, replay
from paimon.composition import open_app_context
from paimon.gateway.cli.process import exit_on_error, exit_with_message, infrequent_gc
from paimon.gateway.cli.resources import opened_owner
from paimon.gateway.cli.text import pluralize
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.settings import Settings, load_settings

app = typer.Typer()

OnlyCheck = Annotated[bool, typer.Option("--check", help="Change nothing; compare, and exit with 1 when a row differs.")]
Examples = Annotated[int, typer.Option(min=1, help="With --check: differences shown of each table.")]


@app.command("replay")
def replay_command(context: typer.Context, only_check: OnlyCheck = False, examples: Examples = 20) -> None:
    """Rebuild every derived table from the recorded logs, beside a listener that goes on, and swap in what differs."""
    began = time.monotonic()
    with exit_on_error(), infrequent_gc():
        done = asyncio.run(_run(load_settings(context.obj), only_check=only_check, examples=examples))
    print(f"{pluralize(done.logs, 'log')} folded up to block {done.at} in {time.monotonic() - began:.1f} s")
    if isinstance(done, ReplayResult):
        _print_changes(done)
    else:
        _print_differences(done)


def _print_changes(done: ReplayResult) -> None:
    for table, rows in done.rows_changed.items():
        print(f"{table}: {pluralize(rows, 'row')} put right")
    if not done.rows_changed:
        print("every row was right already")
    print(f"the listener was held for {done.listener_paused_seconds:.2f} s")


def _print_differences(done: ReplayCheck) -> None:
    for each in done.comparison.examples:
        print(each)
    print(f"rows that differ: {done.comparison.rows_differing}")
    if done.comparison.rows_differing:
        raise typer.Exit(1)


async def _run(settings: Settings, *, only_check: bool, examples: int) -> ReplayCheck | ReplayResult:
    async with opened_owner(settings, process="replay") as engine, open_app_context(settings, process="replay") as app_context:
        try:
            return await _rebuild(engine, app_context.contracts, only_check=only_check, examples=examples)
        except NothingRecorded as error:
            exit_with_message(str(error))


async def _rebuild(
    engine: AsyncEngine, contracts: FundContracts, *, only_check: bool, examples: int
) -> ReplayCheck | ReplayResult:
    with shown_progress() as progress:
        if only_check:
            return await check(engine, contracts, progress=progress, examples_max=examples)
        return await replay(engine, contracts, progress=progress)


@contextmanager
def shown_progress() -> Iterator[ProgressCallback]:
    """A bar with the time left, on stderr, so that the answer alone is on stdout."""
    columns = (TextColumn("folding logs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("replay", total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield report
