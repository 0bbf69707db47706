"""`paimon reconcile`: compare the recorded state with the chain now, and assign the discrepancies."""

import asyncio
from datetime import datetime
from typing import Annotated

import typer

from paimon.application.reconciliation.publish import reconcile_and_publish
from paimon.application.reconciliation.reconcile import Reconciliation
from paimon.application.risk_control.triage import assign_event
from paimon.composition import open_app_context, require_ready, signing_rules
from paimon.domain.risk.risk_event import RiskEvent, format_owner, parse_owner
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error, exit_with_message
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.cli.text import format_age, pluralize
from paimon.gateway.fund_documents import FundDocuments
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.settings import Settings, load_settings

app = CommandApp()

Assign = Annotated[
    tuple[int, str] | None,
    typer.Option(
        metavar="EVENT OWNER",
        help="Compare nothing; assign the discrepancy with this risk event's number to a role or an address.",
    ),
]


@app.command("reconcile")
def reconcile_command(context: typer.Context, assign: Assign = None) -> None:
    """Compare the recorded state with the chain at the last recorded block.

    Exit with 1 when a figure differs.
    """
    with exit_on_error():
        settings = load_settings(context.obj)
        if assign is not None:
            event = asyncio.run(_assign(settings, *assign))
            print(f"risk event {event.id} is assigned to {format_owner(event.owner)}: {event}")
            return
        result = asyncio.run(_reconcile(settings))
    for event in result.events:
        print(_line(event, result.compared_at))
    print(f"{pluralize(result.figures_compared, 'figure')} compared at block {result.at}")
    print(f"discrepancies: {len(result.discrepancies)}")
    if result.discrepancies:
        raise typer.Exit(1)


def _line(event: RiskEvent, now: datetime) -> str:
    """Return `12 CRITICAL open for 3 h 5 min, admin: supply: recorded 5, on chain 7`."""
    finding = event.finding
    prefix = (
        f"{event.id} {finding.severity} {event.status.lower()} for {format_age(event.age(now))}, {format_owner(event.owner)}"
    )
    return f"{prefix}: {finding.subject}: recorded {finding.observed}, on chain {finding.expected}"


async def _assign(settings: Settings, event_id: int, owner: str) -> RiskEvent:
    async with opened_database(settings, process="reconcile") as database:
        return await assign_event(database, event_id, parse_owner(owner), scope=signing_rules(settings).scope)


async def _reconcile(settings: Settings) -> Reconciliation:
    async with open_app_context(settings, process="reconcile") as app_context:
        await require_ready(app_context)
        try:
            return await reconcile_and_publish(
                app_context.database,
                app_context.contracts,
                FundDocuments(app_context.database, app_context.redis),
                material_threshold=settings.nav.material_threshold_bps,
            )
        except CallReverted as error:
            exit_with_message(f"the fund cannot be read at the last recorded block: {error}")
