"""`paimon outbox`: show the outbox, and list and replay its dead-lettered messages."""

import asyncio
from datetime import timedelta
from typing import Annotated

import typer

from paimon.application.monitoring.figures import SystemFigures
from paimon.application.monitoring.queries import read_figures
from paimon.application.quarantine.queries import OutboxMessage, list_outbox_messages
from paimon.application.quarantine.store import OutboxMessageRef
from paimon.domain.operations.outbox import OutboxStatus
from paimon.domain.risk.operator_decision import OperatorDecisionKind
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, print_json
from paimon.gateway.cli.keystore_signing import KeystoreOption, PasswordOption, ReasonOption
from paimon.gateway.cli.lists import listing_json
from paimon.gateway.cli.operator_decisions import PROCESS, record_decision
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.cli.text import NEWEST_SHOWN, NewestLimit, list_title
from paimon.gateway.rest.envelope import Listing
from paimon.gateway.rest.views.outbox import OutboxMessageView
from paimon.infrastructure.database.paging import Page, PageRequest
from paimon.settings import Settings, load_settings

app = CommandApp(help="Show the outbox; list and replay dead-lettered messages.")


@app.callback(invoke_without_command=True)
def outbox(context: typer.Context, as_json: AsJson = False) -> None:
    """Show how many messages of each priority are due, and for how long the oldest has been."""
    if context.invoked_subcommand is not None:
        return
    with exit_on_error():
        figures = asyncio.run(_read_figures(load_settings(context.obj)))
    if as_json:
        due = {queue.priority.value: {"due": queue.depth, "oldestSeconds": queue.age_seconds} for queue in figures.outbox}
        print_json({"deadLettered": figures.dead_lettered, "priorities": due})
        return
    for queue in figures.outbox:
        print(f"{queue.priority:<10} {queue.depth} due, the oldest for {timedelta(seconds=round(queue.age_seconds))}")
    print(f"dead-lettered: {figures.dead_lettered} (paimon outbox dead-letters)")


@app.command("dead-letters")
def dead_letters(context: typer.Context, limit: NewestLimit = NEWEST_SHOWN, as_json: AsJson = False) -> None:
    """List the messages whose every attempt failed, with the last error of each."""
    with exit_on_error():
        messages = asyncio.run(_list_dead_letters(load_settings(context.obj), limit=limit))
    if as_json:
        print_json(listing_json(Listing[OutboxMessageView].page(messages.mapped(OutboxMessageView.of))))
        return
    print(list_title(f"{messages.total} dead-lettered", total=messages.total, shown_max=limit))
    for message in messages.items:
        print(
            f"{message.id} {message.kind} {message.aggregate_id} ({message.priority}), {message.attempts} attempts, the last"
            f" {message.dead_lettered_at:%Y-%m-%d %H:%M:%S} UTC\n    {message.last_error}"
        )


@app.command()
def replay(
    context: typer.Context,
    message_id: Annotated[int, typer.Argument(metavar="ID", help="The message's id, as `dead-letters` shows it.")],
    keystore: KeystoreOption,
    password_file: PasswordOption,
    reason: ReasonOption,
) -> None:
    """Make a dead-lettered message due again, with all its attempts. You sign it with your own key."""
    with exit_on_error():
        asyncio.run(
            record_decision(
                load_settings(context.obj),
                OperatorDecisionKind.REPLAY_MESSAGE,
                OutboxMessageRef(message_id),
                keystore=keystore,
                password_file=password_file,
                reason=reason,
            )
        )
    print(f"message {message_id} is due again")


async def _read_figures(settings: Settings) -> SystemFigures:
    async with opened_database(settings, process=PROCESS) as database:
        return await read_figures(database, timeout_seconds=settings.health.check_timeout_seconds)


async def _list_dead_letters(settings: Settings, *, limit: int) -> Page[OutboxMessage]:
    async with opened_database(settings, process=PROCESS) as database, database.read() as session:
        return await list_outbox_messages(session, PageRequest(1, limit), status=OutboxStatus.DEAD_LETTERED)
