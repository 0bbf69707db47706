"""`paimon stand-ins`: list the stand-ins, name one for a time, and end one."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from paimon.application.approval_tickets.stand_ins import list_stand_ins
from paimon.application.approval_workflow.name_stand_in import NameStandIn, end_stand_in, name_stand_in, propose_end
from paimon.composition import signing_rules
from paimon.domain.approval.stand_in import STAND_IN_DAYS_MAX, Pair, Period
from paimon.domain.kernel.chain import Address, checksum
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.keystore_signing import KeystoreOption, PasswordOption, ReasonOption, load_signer, sign_action
from paimon.gateway.cli.lists import Column, Table
from paimon.gateway.cli.process import address_argument, exit_on_error
from paimon.gateway.cli.resources import opened_app_context, opened_database
from paimon.gateway.rest.views.stand_ins import StandInsView, StandInView
from paimon.infrastructure.database.clock import database_now
from paimon.settings import Settings, load_settings

app = CommandApp(help="List the stand-ins, name one for a time, and end one.", no_args_is_help=True)

_PROCESS: Final = "stand-ins"


def _status(stand_in: StandInView) -> str:
    if stand_in.is_over:
        return "OVER"
    return "IN FORCE" if stand_in.is_in_force else "LATER"


_TABLE: Final[Table[StandInView]] = Table(
    "stand-ins",
    (
        Column("STAND-IN", lambda stand_in: stand_in.id),
        Column("STATUS", _status),
        Column("FROM", lambda stand_in: f"{stand_in.starts_at:%Y-%m-%d %H:%M}"),
        Column("TO", lambda stand_in: f"{stand_in.ends_at:%Y-%m-%d %H:%M}"),
        Column("WHO", lambda stand_in: checksum(Address(stand_in.stand_in))),
        Column("IN THE PLACE OF", lambda stand_in: checksum(Address(stand_in.person))),
        Column("REASON", lambda stand_in: stand_in.reason),
    ),
)


@app.command("list")
def list_command(context: typer.Context, as_json: AsJson = False) -> None:
    """List the newest stand-ins, those that are over too. Times are in UTC."""
    with exit_on_error():
        found = asyncio.run(_list(load_settings(context.obj)))
    if as_json:
        print_json(json_of(found))
    elif not found.items:
        print("no stand-ins yet: `paimon stand-ins name ADDRESS` names one")
    else:
        print("\n".join(_TABLE.lines(found.items)))


@app.command()
def name(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="The wallet of the user who is to decide in your place.")],
    keystore: KeystoreOption,
    password_file: PasswordOption,
    reason: ReasonOption,
    days: Annotated[int, typer.Option(min=1, max=STAND_IN_DAYS_MAX, help="For how many days.")],
    starts: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day, in UTC; now if not given.")
    ] = None,
) -> None:
    """Name a stand-in, who decides approvals in your place for a time. You sign it with your own key."""
    wallet = address_argument(address)
    with exit_on_error():
        number = asyncio.run(_name(load_settings(context.obj), wallet, reason, days, starts, keystore, password_file))
    print(f"stand-in {number}: {checksum(wallet)} decides approvals in your place for {days} days")


@app.command()
def end(
    context: typer.Context,
    stand_in: Annotated[int, typer.Argument(min=1, help="The number of the stand-in.")],
    keystore: KeystoreOption,
    password_file: PasswordOption,
    reason: ReasonOption,
) -> None:
    """End a stand-in before its time. You sign it with your own key, as one of the two or a super_admin."""
    with exit_on_error():
        asyncio.run(_end(load_settings(context.obj), stand_in, reason, keystore, password_file))
    print(f"stand-in {stand_in} has ended")


async def _list(settings: Settings) -> StandInsView:
    async with opened_database(settings, process=_PROCESS) as database, database.read() as session:
        found = await list_stand_ins(session, signing_rules(settings).scope)
        return StandInsView.of(found, await database_now(session))


async def _name(
    settings: Settings,
    wallet: Address,
    reason: str,
    days: int,
    starts: datetime | None,
    keystore: Path,
    password_file: Path,
) -> int:
    async with opened_app_context(settings, process=_PROCESS) as app_context:
        signer, rules = await load_signer(app_context, keystore, password_file), app_context.signing_rules
        async with app_context.database.read() as session:
            now = await database_now(session)
        starts_at = now.replace(microsecond=0)
        if starts is not None and starts.date() != now.date():
            starts_at = starts.replace(tzinfo=UTC)
        pair = Pair(signer.user.address, wallet, Period(starts_at, starts_at + timedelta(days=days)))
        terms = rules.new_terms(now)
        signed = await signer.sign(pair.content().document(reason, terms, rules.scope), terms)
        command = NameStandIn(pair, signer.user, reason, signed)
        return (await name_stand_in(command, app_context.signing, app_context.rpc)).id


async def _end(settings: Settings, stand_in: int, reason: str, keystore: Path, password_file: Path) -> None:
    async with opened_app_context(settings, process=_PROCESS) as app_context:
        signer = await load_signer(app_context, keystore, password_file)
        async with app_context.database.write() as session:
            proposed = await propose_end(session, stand_in, signer.user)
        request = await sign_action(app_context, proposed, keystore=keystore, password_file=password_file, reason=reason)
        await end_stand_in(stand_in, request, app_context.signing)
