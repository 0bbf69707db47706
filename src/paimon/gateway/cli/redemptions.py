"""`paimon redemptions`: list redemption requests."""

from typing import Annotated

import typer

from paimon.application.redemptions.queries import RedemptionFilter, list_redemptions
from paimon.domain.kernel.chain import Address
from paimon.domain.redemption.request import RedemptionChannel, RedemptionStatus
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson
from paimon.gateway.cli.lists import (
    LIMIT_DEFAULT,
    Column,
    FirstDay,
    LastDay,
    Limit,
    Money,
    Page,
    Table,
    address_option,
    minute,
    require_order,
    run_list,
    shares_text,
    short_address,
)
from paimon.gateway.rest.envelope import Listing
from paimon.gateway.rest.views.redemptions import RedemptionView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

app = CommandApp()


@app.command("redemptions")
def redemptions_command(
    context: typer.Context,
    status: Annotated[RedemptionStatus | None, typer.Option(case_sensitive=False, help="Only with this status.")] = None,
    channel: Annotated[RedemptionChannel | None, typer.Option(case_sensitive=False, help="Only of this channel.")] = None,
    owner: Annotated[Address | None, address_option("Only of this owner.")] = None,
    first_day: FirstDay = None,
    last_day: LastDay = None,
    page: Page = 1,
    limit: Limit = LIMIT_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List redemption requests, latest first."""
    require_order(first_day, last_day)
    filters = RedemptionFilter(status, channel, owner, first_day, last_day)

    async def read(session: ReadSession, page: PageRequest) -> Listing[RedemptionView]:
        found = await list_redemptions(session, page, filters)
        return Listing[RedemptionView].page(found.mapped(RedemptionView.of))

    is_filtered = filters != RedemptionFilter()
    run_list(context, read, _table, page=page, limit=limit, as_json=as_json, is_filtered=is_filtered)


def _table(money: Money) -> Table[RedemptionView]:
    return Table(
        "redemption requests",
        (
            Column("ID", lambda request: request.request_id, is_number=True),
            Column("STATUS", lambda request: request.status + (" (quarantined)" if request.quarantined else "")),
            Column("CHANNEL", lambda request: request.channel),
            Column("OWNER", lambda request: short_address(request.owner)),
            Column("SHARES", lambda request: shares_text(request.shares), is_number=True),
            Column("AMOUNT", lambda request: money.text(request.gross_amount), is_number=True),
            Column("PAID", lambda request: money.text(request.settled_net_amount), is_number=True),
            Column("REQUESTED", lambda request: minute(request.requested_at)),
            Column("SETTLES", lambda request: minute(request.settlement_at)),
        ),
    )
