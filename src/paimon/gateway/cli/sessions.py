"""`paimon sessions`: list the sessions of a person, and end one or all of them."""

import asyncio
from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

import typer

from paimon.application.identity.sessions import SessionNotFound, end_all_sessions, end_session, list_sessions
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.user.session import SessionEnd
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.lists import Column, Table
from paimon.gateway.cli.process import address_argument, exit_on_error, exit_with_message
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.rest.views.accounts import SessionsView, SessionView
from paimon.settings import Settings, load_settings

app = CommandApp(help="List the sessions of a person, and end one or all of them.", no_args_is_help=True)

_Address = Annotated[str, typer.Argument(help="The wallet of the person.")]

_TABLE: Final[Table[SessionView]] = Table(
    "sessions",
    (
        Column("SESSION", lambda session: session.id),
        Column("STATUS", lambda session: session.end_reason or session.status),
        Column("SIGNED IN", lambda session: f"{session.created_at:%Y-%m-%d %H:%M}"),
        Column("LAST USED", lambda session: f"{session.used_at:%Y-%m-%d %H:%M}"),
        Column("FROM", lambda session: session.network_address),
        Column("CLIENT", lambda session: session.client),
    ),
)


@app.command("list")
def list_command(context: typer.Context, address: _Address, as_json: AsJson = False) -> None:
    """List the newest sessions of a person, ended ones too. Times are in UTC."""
    wallet = address_argument(address)
    with exit_on_error():
        found = asyncio.run(_list(load_settings(context.obj), wallet))
    if as_json:
        print_json(json_of(found))
    elif not found.items:
        print(f"{checksum(wallet)} has no sessions")
    else:
        print("\n".join(_TABLE.lines(found.items)))


@app.command()
def end(context: typer.Context, session: Annotated[UUID, typer.Argument(help="The id of the session.")]) -> None:
    """End one session. Its tokens stop working at once, its WebSockets within seconds."""
    with exit_on_error():
        asyncio.run(_end(load_settings(context.obj), session))
    print(f"session {session} has ended")


@app.command()
def end_all(context: typer.Context, address: _Address) -> None:
    """End every session of a person, who may sign in again. `paimon users remove` takes that away too."""
    wallet = address_argument(address)
    with exit_on_error():
        ended = asyncio.run(_end_all(load_settings(context.obj), wallet))
    print(f"{ended} sessions of {checksum(wallet)} have ended")


async def _list(settings: Settings, wallet: Address) -> SessionsView:
    async with opened_database(settings, process="sessions") as database:
        found, now = await list_sessions(wallet, database=database, auth=settings.auth)
    return SessionsView.of(found, now, idle=timedelta(seconds=settings.auth.session_idle_seconds))


async def _end(settings: Settings, session: UUID) -> None:
    async with opened_database(settings, process="sessions") as database:
        try:
            await end_session(session, None, SessionEnd.REVOKED, database=database)
        except SessionNotFound:
            exit_with_message(f"there is no open session {session}: `paimon sessions list ADDRESS` shows them")


async def _end_all(settings: Settings, wallet: Address) -> int:
    async with opened_database(settings, process="sessions") as database:
        return await end_all_sessions(wallet, SessionEnd.REVOKED, database=database)
