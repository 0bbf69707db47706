"""`paimon desk speed-up | cancel | retry | clear-fault`: what the desk is told, signed with the person's own keystore."""

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from paimon.application.common.signed_action import SignedAction
from paimon.application.transactions.operator.submit_action import SubmitAction, evaluate_action, submit_action
from paimon.domain.kernel.chain import Address, InvalidAddress, parse_address
from paimon.domain.transaction.operator_action import ActionKind, action_document
from paimon.gateway.cli.keystore_signing import (
    KeystoreOption,
    PasswordOption,
    ReasonOption,
    exit_on_use_case_error,
    load_signer,
)
from paimon.gateway.cli.process import exit_with_message
from paimon.gateway.cli.resources import opened_app_context
from paimon.infrastructure.database.clock import database_now
from paimon.settings import Settings, load_settings

app = typer.Typer()

_IntentId = Annotated[UUID, typer.Argument(metavar="ID")]


@app.command("speed-up")
def speed_up(
    context: typer.Context, intent_id: _IntentId, keystore: KeystoreOption, password_file: PasswordOption, reason: ReasonOption
) -> None:
    """Replace what is in flight now, for more."""
    _run_action(context, ActionKind.SPEED_UP, intent_id, keystore, password_file, reason)


@app.command()
def cancel(
    context: typer.Context, intent_id: _IntentId, keystore: KeystoreOption, password_file: PasswordOption, reason: ReasonOption
) -> None:
    """Give an intent up: before sending it ends, in flight a self-send competes for its nonce."""
    _run_action(context, ActionKind.CANCEL, intent_id, keystore, password_file, reason)


@app.command()
def retry(
    context: typer.Context, intent_id: _IntentId, keystore: KeystoreOption, password_file: PasswordOption, reason: ReasonOption
) -> None:
    """Queue what ended without its effect once more."""
    _run_action(context, ActionKind.RETRY, intent_id, keystore, password_file, reason)


@app.command("clear-fault")
def clear_fault(
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
        exit_with_message(str(error))
    _run_action(context, ActionKind.CLEAR_FAULT, wallet, keystore, password_file, reason)


def _run_action(
    context: typer.Context, kind: ActionKind, target: UUID | Address, keystore: Path, password_file: Path, reason: str
) -> None:
    with exit_on_use_case_error():
        print(asyncio.run(_submit_action(load_settings(context.obj), kind, target, keystore, password_file, reason)))


async def _submit_action(
    settings: Settings, kind: ActionKind, target: UUID | Address, keystore: Path, password_file: Path, reason: str
) -> str:
    async with opened_app_context(settings, process="desk") as app_context:
        signer = await load_signer(app_context, keystore, password_file)
        async with app_context.database.read() as session:
            action_target, _rejection_reason = await evaluate_action(session, kind, target)
            now = await database_now(session)
        rules = app_context.signing_rules
        terms = rules.new_terms(now)
        signature = await signer.sign(action_document(kind, action_target, reason, terms, rules.scope))
        command = SubmitAction(kind, target, signer.user, reason, SignedAction(terms, signature))
        action = await submit_action(command, database=app_context.database, rules=rules)
    return f"{action.kind} asked for {action.target}: the wallet's driver comes to it; `paimon desk` shows what became of it"
