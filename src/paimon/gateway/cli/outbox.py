"""`paimon outbox`: show the outbox, and list and replay its dead-lettered messages."""

import asyncio
from datetime import timedelta
from typing import Annotated

import typer

from paimon.application.monitoring.queries import read_figures
from paimon.application.quarantine.queries import list_outbox_messages
from paimon.application.quarantine.store import OutboxMessageRef
from paimon.domain.operations.outbox import OutboxStatus
from paimon.domain.risk.operator_decision import OperatorDecisionKind
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.operator_decisions import PROCESS, SHOWN_MAX, DecidedBy, Reason, record_decision
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.cli.text import list_title
from paimon.infrastructure.database.paging import PageRequest
from paimon.settings import Settings, load_settings

app = CommandApp(help="Show the outbox; list and replay dead-lettered messages.")


@app.callback(invoke_without_command=True)
def outbox(context: typer.Context) -> None:
    """Show how many messages of each priority are due, and for how long the oldest has been."""
    if context.invoked_subcommand is None:
        with exit_on_error():
            print("\n".join(asyncio.run(_queue_lines(load_settings(context.obj)))))


@app.command("dead-letters")
def dead_letters(context: typer.Context) -> None:
    """List the messages whose every attempt failed, with the last error of each."""
    with exit_on_error():
        print("\n".join(asyncio.run(_list_dead_letters(load_settings(context.obj)))))


@app.command()
def replay(
    context: typer.Context,
    message_id: Annotated[int, typer.Argument(metavar="ID", help="The message's id, as `dead-letters` shows it.")],
    by: DecidedBy,
    reason: Reason,
) -> None:
    """Make a dead-lettered message due again, with all its attempts."""
    with exit_on_error():
        settings = load_settings(context.obj)
        asyncio.run(
            record_decision(settings, OperatorDecisionKind.REPLAY_MESSAGE, OutboxMessageRef(message_id), by=by, reason=reason)
        )
    print(f"message {message_id} is due again")


async def _queue_lines(settings: Settings) -> list[str]:
    async with opened_database(settings, process=PROCESS) as database:
        figures = await read_figures(database, timeout_seconds=settings.health.check_timeout_seconds)
    lines = [
        f"{queue.priority:<10} {queue.depth} due, the oldest for {timedelta(seconds=round(queue.age_seconds))}"
        for queue in figures.outbox
    ]
    return [*lines, f"dead-lettered: {figures.dead_lettered} (paimon outbox dead-letters)"]


async def _list_dead_letters(settings: Settings) -> list[str]:
    async with opened_database(settings, process=PROCESS) as database, database.read() as session:
        page = await list_outbox_messages(session, PageRequest(1, SHOWN_MAX), status=OutboxStatus.DEAD_LETTERED)
    return [
        list_title(f"{page.total} dead-lettered", total=page.total, shown_max=SHOWN_MAX),
        *(
            f"{message.id} {message.kind} {message.aggregate_id} ({message.priority}), {message.attempts} attempts, the last"
            f" {message.dead_lettered_at:%Y-%m-%d %H:%M:%S} UTC\n    {message.last_error}"
            for message in page.items
        ),
    ]
