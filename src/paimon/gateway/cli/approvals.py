"""`paimon approvals`: list approval tickets."""

from typing import Annotated

import typer

from paimon.application.approval_workflow.queries import list_tickets
from paimon.domain.approval.ticket import TicketStatus, TicketType
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson
from paimon.gateway.cli.lists import LIMIT_DEFAULT, Column, Limit, Money, Page, Table, minute, run_list, short_address
from paimon.gateway.rest.envelope import Listing
from paimon.gateway.rest.views.approvals import TicketView
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

app = CommandApp()


@app.command("approvals")
def approvals_command(
    context: typer.Context,
    status: Annotated[TicketStatus | None, typer.Option(case_sensitive=False, help="Only with this status.")] = None,
    kind: Annotated[TicketType | None, typer.Option("--type", case_sensitive=False, help="Only of this type.")] = None,
    page: Page = 1,
    limit: Limit = LIMIT_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List approval tickets, latest first."""

    async def read(session: ReadSession, page: PageRequest) -> Listing[TicketView]:
        now = await database_now(session)
        found = await list_tickets(session, page, status=status, kind=kind)
        return Listing[TicketView].page(found.mapped(lambda ticket: TicketView.of(ticket, now)))

    is_filtered = status is not None or kind is not None
    run_list(context, read, _table, page=page, limit=limit, as_json=as_json, is_filtered=is_filtered)


def _subject(ticket: TicketView) -> str:
    return f"request {ticket.request_id}" if ticket.plan is None else f"plan {ticket.plan.name}"


def _requester(ticket: TicketView) -> str:
    asked = ticket.owner if ticket.plan is None else ticket.plan.requested_by
    return "" if asked is None else short_address(asked)


def _table(money: Money) -> Table[TicketView]:
    return Table(
        "approval tickets",
        (
            Column("ID", lambda ticket: ticket.id),
            Column("STATUS", lambda ticket: ticket.status),
            Column("TYPE", lambda ticket: ticket.type),
            Column("ABOUT", _subject),
            Column("BY", lambda ticket: _requester(ticket)),
            Column("AMOUNT", lambda ticket: money.text(ticket.gross_amount), is_number=True),
            Column("APPROVALS", lambda ticket: f"{ticket.approvals} of {ticket.required_approvals}"),
            Column("SLA", lambda ticket: ticket.sla.stage),
            Column("OPENED", lambda ticket: minute(ticket.opened_at)),
            Column("DEADLINE", lambda ticket: minute(ticket.sla.deadline_at)),
        ),
    )
