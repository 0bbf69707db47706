"""`paimon holders`: list the holders of shares at any recorded block."""

from typing import Annotated

import typer

from paimon.application.vault.queries import list_holders
from paimon.domain.kernel.chain import Address, checksum
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson
from paimon.gateway.cli.lists import (
    LIMIT_DEFAULT,
    Block,
    Column,
    Limit,
    Money,
    Page,
    Table,
    address_option,
    minute,
    run_list,
    shares_text,
)
from paimon.gateway.rest.views.holders import HolderRegisterView, HolderView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

app = CommandApp()


@app.command("holders")
def holders_command(
    context: typer.Context,
    holder: Annotated[Address | None, address_option("Only this holder.")] = None,
    block: Block = None,
    page: Page = 1,
    limit: Limit = LIMIT_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List holders with their shares and value, largest first."""

    async def read(session: ReadSession, page: PageRequest) -> HolderRegisterView:
        return HolderRegisterView.of(await list_holders(session, page, block=block, holder=holder))

    run_list(context, read, _table, page=page, limit=limit, as_json=as_json, is_filtered=holder is not None)


def _table(_money: Money) -> Table[HolderView]:
    return Table(
        "holders",
        (
            Column("HOLDER", lambda holder: checksum(holder.holder)),
            Column("SHARES", lambda holder: shares_text(holder.shares), is_number=True),
            Column("LOCKED", lambda holder: shares_text(holder.locked_shares), is_number=True),
            Column("OF SUPPLY", lambda holder: holder.share_of_supply, is_number=True),
            Column("VALUE", lambda holder: holder.value_display, is_number=True),
            Column("CLAIM", lambda holder: holder.claim_display, is_number=True),
            Column("SINCE", lambda holder: minute(holder.since)),
        ),
    )
