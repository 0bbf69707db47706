"""`paimon outbox`: reactions that are due, and those that were given up."""

import asyncio
from datetime import timedelta
from typing import Annotated

import typer

from paimon.application.monitoring.figures import read_figures
from paimon.application.quarantine.queries import ReactionState, list_reactions
from paimon.application.quarantine.store import Reaction
from paimon.domain.risk.operator_decision import RemedyKind
from paimon.gateway.cli.operator_decisions import SHOWN_MAX, By, Reason, decide, opened
from paimon.gateway.cli.process import explained
from paimon.infrastructure.database.paging import PageRequest
from paimon.settings import Settings, load_settings

app = typer.Typer(help="Reactions: how many are due, and those that were given up.")


@app.callback(invoke_without_command=True)
def outbox(context: typer.Context) -> None:
    """Reactions: how many are due of each priority, and for how long the oldest has been."""
    if context.invoked_subcommand is None:
        with explained():
            print("\n".join(asyncio.run(_depth(load_settings(context.obj)))))


@app.command("dead")
def dead(context: typer.Context) -> None:
    """Reactions that were given up after their last try, with what went wrong."""
    with explained():
        print("\n".join(asyncio.run(_dead(load_settings(context.obj)))))


@app.command("replay")
def replay(context: typer.Context, outbox_id: Annotated[int, typer.Argument(metavar="ID")], by: By, reason: Reason) -> None:
    """Make a reaction that was given up due again, with all its tries before it."""
    with explained():
        settings = load_settings(context.obj)
        asyncio.run(decide(settings, RemedyKind.REPLAY_REACTION, Reaction(outbox_id), by=by, reason=reason))
    print(f"reaction {outbox_id} is due again")


async def _depth(settings: Settings) -> list[str]:
    async with opened(settings) as database:
        figures = await read_figures(database, timeout_seconds=settings.health.check_timeout_seconds)
    lines = [
        f"{each.priority:<10} {each.depth} due, the oldest for {timedelta(seconds=round(each.age_seconds))}"
        for each in figures.outbox
    ]
    return [*lines, f"given up: {figures.dead} (paimon outbox dead)"]


async def _dead(settings: Settings) -> list[str]:
    async with opened(settings) as database, database.read() as session:
        found = await list_reactions(session, PageRequest(1, SHOWN_MAX), state=ReactionState.DEAD)
    return [
        f"{found.total} given up" + (f", the newest {SHOWN_MAX}:" if found.total > SHOWN_MAX else ""),
        *(
            f"{each.id} {each.kind} {each.aggregate_id} ({each.priority}), {each.attempts} tries, the last"
            f" {each.dead_at:%Y-%m-%d %H:%M:%S} UTC\n    {each.last_error}"
            for each in found.items
        ),
    ]
