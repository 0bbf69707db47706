"""`paimon notify`: list notifications with their receipts, and try a channel."""

import asyncio
import time
from typing import Annotated, Final

import typer

from paimon.application.notifications.queries import StoredMessage, get_message, list_messages
from paimon.application.notifications.send_test import queue_test
from paimon.domain.notification.message import MessageStatus
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.lists import LIMIT_DEFAULT, Column, Limit, Money, Page, Table, minute, run_list
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.rest.envelope import Listing
from paimon.gateway.rest.views.notifications import NotificationView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession
from paimon.settings import Settings, load_settings

app = CommandApp(help="List notifications with their receipts, and try a channel.", no_args_is_help=True)

_LOOK_SECONDS: Final = 0.5


@app.command("list")
def list_command(
    context: typer.Context,
    channel: Annotated[str | None, typer.Option(help="Only of this channel.")] = None,
    status: Annotated[MessageStatus | None, typer.Option(case_sensitive=False, help="Only with this status.")] = None,
    page: Page = 1,
    limit: Limit = LIMIT_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List notifications, latest first."""

    async def read(session: ReadSession, page: PageRequest) -> Listing[NotificationView]:
        found = await list_messages(session, page, channel=channel, status=status)
        return Listing[NotificationView].page(found.mapped(NotificationView.of))

    is_filtered = channel is not None or status is not None
    run_list(context, read, _table, page=page, limit=limit, as_json=as_json, is_filtered=is_filtered)


def _table(_money: Money) -> Table[NotificationView]:
    return Table(
        "notifications",
        (
            Column("ID", lambda message: message.id, is_number=True),
            Column("CREATED", lambda message: minute(message.created_at)),
            Column("CHANNEL", lambda message: message.channel),
            Column("STATUS", lambda message: message.status),
            Column("ATTEMPTS", lambda message: message.attempts, is_number=True),
            Column("EVENTS", lambda message: message.events, is_number=True),
            Column("TITLE", lambda message: message.title),
            Column("", lambda message: message.last_error or ""),
        ),
    )


@app.command("test")
def try_command(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(help="The channel's name in the settings' file.")],
    wait: Annotated[float, typer.Option(min=0, max=600, help="How many seconds to wait for the worker.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Send a test message to a channel, as the worker sends any other. Exit with 1 unless the channel took it."""
    with exit_on_error():
        message = asyncio.run(_test(load_settings(context.obj), channel, wait_seconds=wait))
    if as_json:
        print_json(json_of(NotificationView.of(message)))
    else:
        print(_describe(message))
    if message.status is not MessageStatus.SENT:
        raise typer.Exit(1)


async def _test(settings: Settings, channel: str, *, wait_seconds: float) -> StoredMessage:
    async with opened_database(settings, process="notify") as database:
        message_id = await queue_test(database, settings.notifications.content, channel)
        ends = time.monotonic() + wait_seconds
        while True:
            async with database.read() as session:
                message = await get_message(session, message_id)
            if message.status in (MessageStatus.SENT, MessageStatus.FAILED) or time.monotonic() >= ends:
                return message
            await asyncio.sleep(_LOOK_SECONDS)


def _describe(message: StoredMessage) -> str:
    match message.status:
        case MessageStatus.SENT:
            receipt = f", receipt {message.receipt}" if message.receipt else ""
            return f"{message.channel} took the message{receipt}"
        case MessageStatus.FAILED:
            return f"{message.channel} refused the message: {message.last_error}"
        case _ if message.last_error:
            return f"{message.channel} has not taken the message yet: {message.last_error}; it is tried again"
        case _:
            return f"{message.channel} has not got the message yet: is a worker running? `paimon status` shows it"
