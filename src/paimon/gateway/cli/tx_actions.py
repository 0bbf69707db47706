"""`paimon desk speed-up | cancel | retry | clear-trouble`: what the desk is told, signed with the person's own keystore."""

import asyncio
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from paimon.application.transactions.operator.submit_action import AskDeed, ask_deed, judge
from paimon.domain.kernel.chain import Address, Hash32, InvalidAddress, parse_address
from paimon.domain.transaction.operator_action import DeedKind, deed_document
from paimon.gateway.cli.keystore_signing import KeystoreOption, PasswordOption, ReasonOption, person_of, told
from paimon.gateway.cli.process import refuse
from paimon.gateway.cli.resources import opened_house
from paimon.infrastructure.database.clock import database_now
from paimon.settings import Settings, load_settings

app = typer.Typer()

_IntentId = Annotated[UUID, typer.Argument(metavar="ID")]


@app.command("speed-up")
def speed_up(
    context: typer.Context, intent_id: _IntentId, keystore: KeystoreOption, password_file: PasswordOption, reason: ReasonOption
) -> None:
    """Replace what is in flight now, for more."""
    _tell(context, DeedKind.SPEED_UP, intent_id, keystore, password_file, reason)


@app.command()
def cancel(
    context: typer.Context, intent_id: _IntentId, keystore: KeystoreOption, password_file: PasswordOption, reason: ReasonOption
) -> None:
    """Give an intent up: before sending it ends, in flight a self-send competes for its nonce."""
    _tell(context, DeedKind.CANCEL, intent_id, keystore, password_file, reason)


@app.command()
def retry(
    context: typer.Context, intent_id: _IntentId, keystore: KeystoreOption, password_file: PasswordOption, reason: ReasonOption
) -> None:
    """Queue what ended without its effect once more."""
    _tell(context, DeedKind.RETRY, intent_id, keystore, password_file, reason)


@app.command("clear-trouble")
def clear_trouble(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="The sending key's.")],
    keystore: KeystoreOption,
    password_file: PasswordOption,
    reason: ReasonOption,
) -> None:
    """A sending key's trouble has been dealt with."""
    try:
        wallet = parse_address(address)
    except InvalidAddress as error:
        refuse(str(error))
    _tell(context, DeedKind.CLEAR_TROUBLE, wallet, keystore, password_file, reason)


def _tell(
    context: typer.Context, kind: DeedKind, target: UUID | Address, keystore: Path, password_file: Path, reason: str
) -> None:
    with told():
        print(asyncio.run(_ask(load_settings(context.obj), kind, target, keystore, password_file, reason)))


async def _ask(
    settings: Settings, kind: DeedKind, target: UUID | Address, keystore: Path, password_file: Path, reason: str
) -> str:
    ttl = settings.approval.vote_ttl_seconds_max
    async with opened_house(settings, process="desk") as house:
        person = await person_of(house, keystore, password_file)
        async with house.database.read() as session:
            subject, _why_not = await judge(session, kind, target)
            now = await database_now(session)
        expires_at = now.replace(microsecond=0) + timedelta(seconds=ttl)
        nonce = Hash32(secrets.token_bytes(32))
        document = deed_document(kind, subject, reason, nonce=nonce, expires_at=expires_at, scope=house.vote_scope)
        command = AskDeed(kind, target, person.user, reason, nonce, expires_at, await person.sign(document))
        deed = await ask_deed(command, database=house.database, scope=house.vote_scope, ttl_seconds_max=ttl)
    return f"{deed.kind} asked for {deed.about}: the wallet's driver comes to it; `paimon desk` shows what became of it"
