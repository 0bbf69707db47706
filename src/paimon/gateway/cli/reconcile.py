"""`paimon reconcile`: the books against the chain, now, and who has each difference."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated

import typer

from paimon.application.reconciliation.publish import reconcile_and_publish
from paimon.application.reconciliation.reconcile import NothingRecorded, Reconciliation
from paimon.application.risk_control.store import RiskEventNotFound
from paimon.application.risk_control.triage import assign_event
from paimon.composition import open_app_context, require_ready
from paimon.domain.risk.risk_event import InvalidOwner, RiskEvent, RiskEventClosed, format_owner, parse_owner
from paimon.gateway.cli.process import exit_on_error, exit_with_message
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.cli.text import pluralize
from paimon.infrastructure.blockchain.contracts.fund import CallReverted
from paimon.infrastructure.database import version
from paimon.settings import Settings, load_settings

app = typer.Typer()

Assign = Annotated[
    tuple[int, str] | None,
    typer.Option(metavar="EVENT OWNER", help="Only give a difference to somebody: its number, and a role or an address."),
]


@app.command("reconcile")
def reconcile_command(context: typer.Context, assign: Assign = None) -> None:
    """Compare the books with the chain at the last recorded block; exit with 1 when a figure differs."""
    with exit_on_error():
        settings = load_settings(context.obj)
        if assign is not None:
            event = asyncio.run(_assign(settings, *assign))
            print(f"{event.id} is now {format_owner(event.owner)}'s: {event}")
            return
        result = asyncio.run(_reconcile(settings))
    for event in result.events:
        print(_line(event, result.compared_at))
    print(f"{pluralize(result.figures_compared, 'figure')} compared at block {result.at}")
    print(f"differences: {len(result.discrepancies)}")
    if result.discrepancies:
        raise typer.Exit(1)


def _line(event: RiskEvent, now: datetime) -> str:
    """`12 CRITICAL open for 3 h 5 min, admin: supply: books 5, chain 7`"""
    finding = event.finding
    prefix = f"{event.id} {finding.severity} {event.status.lower()} for {_span(event.age(now))}, {format_owner(event.owner)}"
    return f"{prefix}: {finding.subject}: books {finding.observed}, chain {finding.expected}"


def _span(age: timedelta) -> str:
    minutes = int(age.total_seconds()) // 60
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


async def _assign(settings: Settings, event_id: int, owner: str) -> RiskEvent:
    async with opened_database(settings, process="reconcile") as database:
        await version.require_current(database.engine)
        try:
            return await assign_event(database, event_id, parse_owner(owner))
        except (RiskEventNotFound, RiskEventClosed, InvalidOwner) as error:
            exit_with_message(str(error))


async def _reconcile(settings: Settings) -> Reconciliation:
    async with open_app_context(settings, process="reconcile") as app_context:
        await require_ready(app_context)
        try:
            return await reconcile_and_publish(
                app_context.database, app_context.contracts, app_context.redis, material=settings.nav.material_threshold_bps
            )
        except NothingRecorded as error:
            exit_with_message(str(error))
        except CallReverted as error:
            exit_with_message(f"the fund cannot be read at the last recorded block: {error}")
