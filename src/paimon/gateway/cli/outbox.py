"""`paimon outbox`: reactions that are due, and those that were given up."""

import asyncio
from datetime import timedelta
from typing import Annotated

import typer

from paimon.application.monitoring.figures import read_figures
from paimon.application.quarantine.queries import OutboxStatus, list_outbox_messages
from paimon.application.quarantine.store import OutboxMessageRef
from paimon.domain.risk.operator_decision import OperatorDecisionKind
from paimon.gateway.cli.operator_decisions import SHOWN_MAX, DecidedBy, Reason, opened_current_database, record_decision
from paimon.gateway.cli.process import exit_on_error
from paimon.infrastructure.database.paging import PageRequest
from paimon.settings import Settings, load_settings

app = typer.Typer(help="Reactions: how many are due, and those that were given up.")


@app.callback(invoke_without_command=True)
def outbox(context: typer.Context) -> None:
    """Reactions: how many are due of each priority, and for how long the oldest has been."""
    if context.invoked_subcommand is None:
        with exit_on_error():
            print("\n".join(asyncio.run(_queue_lines(load_settings(context.obj)))))


@app.command("dead_letters")
def dead_letters(context: typer.Context) -> None:
    """Reactions that were given up after their last try, with what went wrong."""
    with exit_on_error():
        print("\n".join(asyncio.run(_list_dead_letters(load_settings(context.obj)))))


@app.command("replay")
def replay(
    context: typer.Context, outbox_id: Annotated[int, typer.Argument(metavar="ID")], by: DecidedBy, reason: Reason
) -> None:
    """Make a reaction that was given up due again, with all its tries before it."""
    with exit_on_error():
        settings = load_settings(context.obj)
        asyncio.run(
            record_decision(settings, OperatorDecisionKind.REPLAY_MESSAGE, OutboxMessageRef(outbox_id), by=by, reason=reason)
        )
    print(f"reaction {outbox_id} is due again")


async def _queue_lines(settings: Settings) -> list[str]:
    async with opened_current_database(settings) as database:
        figures = await read_figures(database, timeout_seconds=settings.health.check_timeout_seconds)
    lines = [
        f"{each.priority:<10} {each.depth} due, the oldest for {timedelta(seconds=round(each.age_seconds))}"
        for each in figures.outbox
    ]
    return [*lines, f"given up: {figures.dead_lettered} (paimon outbox dead)"]


async def _list_dead_letters(settings: Settings) -> list[str]:
    async with opened_current_database(settings) as database, database.read() as session:
        found = await list_outbox_messages(session, PageRequest(1, SHOWN_MAX), state=OutboxStatus.DEAD_LETTERED)
    return [
        f"{found.total} given up" + (f", the newest {SHOWN_MAX}:" if found.total > SHOWN_MAX else ""),
        *(
            f"{each.id} {each.kind} {each.aggregate_id} ({each.priority}), {each.attempts} tries, the last"
            f" {each.dead_lettered_at:%Y-%m-%d %H:%M:%S} UTC\n    {each.last_error}"
            for each in found.items
        ),
    ]
