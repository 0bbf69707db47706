"""`paimon replay`: rebuild the derived tables from the recorded logs, or, with `--check`, compare them with a rebuild."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from sqlalchemy.ext.asyncio import AsyncEngine

from paimon.application.replay.rebuild import ProgressCallback
from paimon.application.replay.replay import ReplayCheck, ReplayResult, check_replay, replay
from paimon.composition import open_app_context
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error, infrequent_gc, who_runs_this
from paimon.gateway.cli.resources import opened_owner_engine
from paimon.gateway.cli.text import pluralize
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.settings import Settings, load_settings

app = CommandApp()

OnlyCheck = Annotated[bool, typer.Option("--check", help="Change nothing; compare, and exit with 1 when a row differs.")]
Examples = Annotated[int, typer.Option(min=1, help="With --check: how many differing rows to show of each table.")]


@app.command("replay")
def replay_command(context: typer.Context, only_check: OnlyCheck = False, examples: Examples = 20) -> None:
    """Rebuild the derived tables from the recorded logs and swap in what differs.

    The listener goes on meanwhile.
    """
    began = time.monotonic()
    with exit_on_error(), infrequent_gc():
        result = asyncio.run(_run(load_settings(context.obj), only_check=only_check, examples=examples))
    print(f"{pluralize(result.logs, 'log')} folded up to block {result.at} in {time.monotonic() - began:.1f} s")
    if isinstance(result, ReplayResult):
        _print_changes(result)
    else:
        _print_differences(result)


def _print_changes(result: ReplayResult) -> None:
    for table, rows in result.rows_changed.items():
        print(f"{table}: {pluralize(rows, 'row')} corrected")
    if not result.rows_changed:
        print("every row was correct already")
    print(f"the listener was paused for {result.listener_paused_seconds:.2f} s")


def _print_differences(result: ReplayCheck) -> None:
    for difference in result.comparison.examples:
        print(difference)
    print(f"rows that differ: {result.comparison.rows_differing}")
    if result.comparison.rows_differing:
        raise typer.Exit(1)


async def _run(settings: Settings, *, only_check: bool, examples: int) -> ReplayCheck | ReplayResult:
    async with (
        opened_owner_engine(settings, process="replay") as engine,
        open_app_context(settings, process="replay") as app_context,
    ):
        return await _rebuild(engine, app_context.contracts, only_check=only_check, examples=examples)


async def _rebuild(
    engine: AsyncEngine, contracts: FundContracts, *, only_check: bool, examples: int
) -> ReplayCheck | ReplayResult:
    with replay_progress() as progress:
        if only_check:
            return await check_replay(engine, contracts, progress=progress, examples_max=examples)
        return await replay(engine, contracts, progress=progress, run_by=who_runs_this())


@contextmanager
def replay_progress() -> Iterator[ProgressCallback]:
    """Show a bar with the time left on stderr, so that stdout holds only the result."""
    columns = (TextColumn("folding logs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("replay", total=None)

        def report(logs_done: int, logs_total: int) -> None:
            bar.update(task, completed=logs_done, total=logs_total)

        yield report
