"""`paimon transactions`: list the chain's transactions that touched the fund."""

import re
from typing import Annotated

import typer

from paimon.application.vault.chain_transactions import TransactionFilter
from paimon.application.vault.queries import list_transactions
from paimon.domain.kernel.chain import ContractName, hex0x
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson
from paimon.gateway.cli.lists import (
    LIMIT_DEFAULT,
    Block,
    Column,
    FirstDay,
    LastDay,
    Limit,
    Money,
    Page,
    Table,
    minute,
    require_order,
    run_list,
)
from paimon.gateway.rest.envelope import BlockStampView, DatedListing
from paimon.gateway.rest.validation_messages import EVENT_NAME
from paimon.gateway.rest.views.chain import ChainTransactionView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

app = CommandApp()


def _parse_event(text: str) -> str:
    if re.fullmatch(EVENT_NAME, text) is None:
        raise ValueError(f"{text[:60]!r} is not an event's name: letters, digits, _ and $, no digit first, at most 100")
    return text


@app.command("transactions")
def transactions_command(
    context: typer.Context,
    contract: Annotated[
        ContractName | None, typer.Option(case_sensitive=False, help="Only with a log of this contract.")
    ] = None,
    event: Annotated[
        str | None,
        typer.Option(metavar="NAME", parser=_parse_event, help="Only with an event of this name.", show_default=False),
    ] = None,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    block: Block = None,
    page: Page = 1,
    limit: Limit = LIMIT_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List the chain's transactions that touched the fund, latest first."""
    require_order(first_day, last_day)
    filters = TransactionFilter(contract, event, first_day, last_day)

    async def read(session: ReadSession, page: PageRequest) -> DatedListing[ChainTransactionView]:
        at, found = await list_transactions(session, page, filters, block=block)
        return DatedListing[ChainTransactionView].page(found.mapped(ChainTransactionView.of), as_of=BlockStampView.of(at))

    is_filtered = any(value is not None for value in (contract, event, first_day, last_day))
    run_list(context, read, _table, page=page, limit=limit, as_json=as_json, is_filtered=is_filtered)


def _table(_money: Money) -> Table[ChainTransactionView]:
    return Table(
        "transactions",
        (
            Column("BLOCK", lambda transaction: transaction.block_number, is_number=True),
            Column("TIME", lambda transaction: minute(transaction.time)),
            Column("HASH", lambda transaction: hex0x(transaction.hash)),
            Column("LOGS", lambda transaction: transaction.log_count, is_number=True),
            Column("EVENTS", lambda transaction: ", ".join(transaction.events)),
        ),
    )
