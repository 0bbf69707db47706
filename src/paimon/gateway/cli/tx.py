"""`paimon tx`: show wallets and intents; its other commands act on them.

paimon tx                                              wallets, and open intents with what each waits for
paimon tx show ID                                      one intent with every attempt
paimon tx speed-up | cancel | retry | clear-fault …    operator actions (tx_actions.py)
paimon tx plan preview | submit | list | show …        plans (tx_plans.py)
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from paimon.application.transactions.operator.queries import IntentFilter, get_intent, list_intents
from paimon.application.transactions.queries import list_wallets
from paimon.domain.kernel.chain import checksum, hex0x
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.intent import IntentWithAttempts
from paimon.domain.transaction.lifecycle import BroadcastChannel
from paimon.gateway.cli import tx_actions, tx_plans
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.lists import listing_json
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.cli.text import NEWEST_SHOWN, NewestLimit, format_age
from paimon.gateway.cli.tx_lists import All, Ended, ListFilter
from paimon.gateway.cli.wallet_line import wallet_line
from paimon.gateway.rest.envelope import Listing
from paimon.gateway.rest.views.transactions import IntentView
from paimon.gateway.rest.views.wallets import SendingWalletView
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.paging import PageRequest
from paimon.settings import Settings, load_settings

app = CommandApp(help="Show wallets and intents; speed up, cancel or retry an intent; submit plans.")
app.add_typer(tx_actions.app)
app.add_typer(tx_plans.app, name="plan")


@app.callback(invoke_without_command=True)
def tx(
    context: typer.Context,
    include_ended: All = False,
    only_ended: Ended = False,
    limit: NewestLimit = NEWEST_SHOWN,
    as_json: AsJson = False,
) -> None:
    """Show every wallet and the open intents; `--ended` or `--all` shows others."""
    if context.invoked_subcommand is not None:
        return
    with exit_on_error():
        list_filter = ListFilter.of(include_ended=include_ended, only_ended=only_ended)
        asyncio.run(_print_intents(load_settings(context.obj), list_filter, limit=limit, as_json=as_json))


@app.command()
def show(context: typer.Context, intent_id: Annotated[UUID, typer.Argument(metavar="ID", help="The intent's id.")]) -> None:
    """Show one intent with every attempt to send it."""
    with exit_on_error():
        lines = asyncio.run(_show_intent(load_settings(context.obj), intent_id))
    print("\n".join(lines))


async def _print_intents(settings: Settings, list_filter: ListFilter, *, limit: int, as_json: bool) -> None:
    async with opened_database(settings, process="tx") as database, database.read() as session:
        now = await database_now(session)
        wallets = await list_wallets(session)
        intents = await list_intents(session, PageRequest(1, limit), IntentFilter(is_open=list_filter.is_open))
    low_balance = settings.sending.low_balance_wei
    if as_json:
        shown_wallets = [
            SendingWalletView.of(wallet, low_balance_wei=low_balance.for_wallet(wallet.name), now=now) for wallet in wallets
        ]
        shown_intents = Listing[IntentView].page(intents.mapped(IntentView.of_intent))
        print_json({"wallets": [json_of(wallet) for wallet in shown_wallets], "intents": listing_json(shown_intents)})
        return
    for wallet in wallets:
        print(f"{wallet.name} {checksum(wallet.address)}\n    {wallet_line(wallet, low_balance, now)}")
    print(list_filter.title(intents.total, limit=limit))
    for intent in intents.items:
        print("\n".join(_intent_lines(intent, now)))


def _intent_lines(intent: IntentWithAttempts, now: datetime) -> Iterator[str]:
    newest = intent.attempts[-1:] if intent.attempts else []
    at = "".join(f", nonce {attempt.nonce}, {len(intent.attempts)} sent, the last {attempt.status}" for attempt in newest)
    yield f"{intent.id} {intent.idempotency_key}: {intent.status} for {format_age(now - intent.created_at)}{at}"
    if intent.reason:
        yield f"    {intent.reason}"


async def _show_intent(settings: Settings, intent_id: UUID) -> Sequence[str]:
    async with opened_database(settings, process="tx") as database, database.read() as session:
        intent = await get_intent(session, intent_id)
        now = await database_now(session)
    return [*_intent_lines(intent, now), *_end_line(intent), *map(_attempt_line, intent.attempts)]


def _end_line(intent: IntentWithAttempts) -> Iterator[str]:
    if intent.closed_at is not None:
        yield f"    ended {intent.closed_at:%Y-%m-%d %H:%M:%S} UTC"
    elif not intent.attempts:
        yield f"    next check {intent.next_check_at:%Y-%m-%d %H:%M:%S} UTC"


def _attempt_line(attempt: Attempt) -> str:
    kind = "self-send" if attempt.is_cancellation else "call"
    kind += " (private)" if attempt.channel is BroadcastChannel.PRIVATE else ""
    outcome = "succeeded" if attempt.succeeded else "REVERTED"
    mined = f", block {attempt.block_number}, {outcome}" if attempt.block_number else ""
    sent = f"sent {attempt.broadcast_at:%H:%M:%S}" if attempt.broadcast_at else "not acknowledged"
    fees = f"max {attempt.max_fee_wei} tip {attempt.priority_fee_wei} wei"
    node_answer = f", node: {attempt.answer}" if attempt.answer else ""
    created = f"{attempt.created_at:%Y-%m-%d %H:%M:%S}"
    return (
        f"  {created} nonce {attempt.nonce} {kind} {attempt.status}{mined}, {fees}, {sent}{node_answer}"
        f"\n    {hex0x(attempt.hash)}"
    )
