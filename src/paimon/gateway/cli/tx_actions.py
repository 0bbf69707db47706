"""`paimon tx speed-up | cancel | retry | clear-fault`: submit an operator action, signed with the operator's keystore."""

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from paimon.application.transactions.operator.submit_action import (
    SubmitAction,
    propose_operator_action,
    submit_action,
)
from paimon.domain.kernel.chain import Address
from paimon.domain.transaction.operator_action import ActionKind
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.keystore_signing import KeystoreOption, PasswordOption, ReasonOption, sign_action
from paimon.gateway.cli.process import address_argument, exit_on_error
from paimon.gateway.cli.resources import opened_app_context
from paimon.settings import Settings, load_settings

app = CommandApp()

_IntentId = Annotated[UUID, typer.Argument(metavar="ID", help="The intent's id.")]


@app.command("speed-up")
def speed_up(
    context: typer.Context, intent_id: _IntentId, keystore: KeystoreOption, password_file: PasswordOption, reason: ReasonOption
) -> None:
    """Speed up a transaction: replace the attempt in flight with one that pays more gas."""
    _run_action(context, ActionKind.SPEED_UP, intent_id, keystore, password_file, reason)


@app.command()
def cancel(
    context: typer.Context, intent_id: _IntentId, keystore: KeystoreOption, password_file: PasswordOption, reason: ReasonOption
) -> None:
    """Cancel an intent. If its transaction is in flight, a self-send competes for the nonce."""
    _run_action(context, ActionKind.CANCEL, intent_id, keystore, password_file, reason)


@app.command()
def retry(
    context: typer.Context, intent_id: _IntentId, keystore: KeystoreOption, password_file: PasswordOption, reason: ReasonOption
) -> None:
    """Retry an intent that ended without its effect: queue it again."""
    _run_action(context, ActionKind.RETRY, intent_id, keystore, password_file, reason)


@app.command("clear-fault")
def clear_fault(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="The wallet's address.")],
    keystore: KeystoreOption,
    password_file: PasswordOption,
    reason: ReasonOption,
) -> None:
    """Clear a wallet's fault, after its cause was removed."""
    _run_action(context, ActionKind.CLEAR_FAULT, address_argument(address), keystore, password_file, reason)


def _run_action(
    context: typer.Context, kind: ActionKind, target_id: UUID | Address, keystore: Path, password_file: Path, reason: str
) -> None:
    with exit_on_error():
        print(asyncio.run(_submit_action(load_settings(context.obj), kind, target_id, keystore, password_file, reason)))


async def _submit_action(
    settings: Settings, kind: ActionKind, target_id: UUID | Address, keystore: Path, password_file: Path, reason: str
) -> str:
    async with opened_app_context(settings, process="tx") as app_context:
        async with app_context.database.read() as session:
            _target, proposed = await propose_operator_action(session, kind, target_id)
        request = await sign_action(app_context, proposed, keystore=keystore, password_file=password_file, reason=reason)
        action = await submit_action(SubmitAction(kind, target_id, request), app_context.signing)
    return f"{action.kind} requested for {action.target}: the wallet's driver applies it; `paimon tx` shows the result"
