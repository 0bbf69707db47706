"""`paimon risk-events`: list risk events."""

from datetime import timedelta
from typing import Annotated

import typer

from paimon.application.risk_control.queries import RiskFilter, list_events
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson
from paimon.gateway.cli.lists import LIMIT_DEFAULT, Column, Limit, Money, Page, Table, run_list
from paimon.gateway.cli.text import format_age
from paimon.gateway.rest.envelope import Listing
from paimon.gateway.rest.views.risk import RiskEventView
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

app = CommandApp()


@app.command("risk-events")
def risk_events_command(
    context: typer.Context,
    status: Annotated[RiskStatus | None, typer.Option(case_sensitive=False, help="Only with this status.")] = None,
    severity: Annotated[Severity | None, typer.Option(case_sensitive=False, help="Only of this severity.")] = None,
    kind: Annotated[RiskKind | None, typer.Option(case_sensitive=False, help="Only of this kind.")] = None,
    page: Page = 1,
    limit: Limit = LIMIT_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List risk events, latest first."""
    filters = RiskFilter(status, severity, kind)

    async def read(session: ReadSession, page: PageRequest) -> Listing[RiskEventView]:
        now = await database_now(session)
        found = await list_events(session, page, filters)
        return Listing[RiskEventView].page(found.mapped(lambda event: RiskEventView.of(event, now)))

    is_filtered = filters != RiskFilter()
    run_list(context, read, _table, page=page, limit=limit, as_json=as_json, is_filtered=is_filtered)


def _table(_money: Money) -> Table[RiskEventView]:
    return Table(
        "risk events",
        (
            Column("ID", lambda event: event.id, is_number=True),
            Column("SEVERITY", lambda event: event.severity),
            Column("STATUS", lambda event: event.status),
            Column("KIND", lambda event: event.kind),
            Column("AGE", lambda event: format_age(timedelta(seconds=event.age_seconds))),
            Column("OWNER", lambda event: event.owner),
            Column("FINDING", lambda event: f"{event.subject}: observed {event.observed}, expected {event.expected}"),
        ),
    )
