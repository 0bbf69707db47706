"""`paimon reconcile`: the books against the chain, now, and who has each difference."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated

import typer

from paimon.application.reconciliation.publish import compare_and_publish
from paimon.application.reconciliation.reconcile import NothingRecorded, Reconciliation
from paimon.application.risk_control.store import RiskEventNotFound
from paimon.application.risk_control.triage import assign_event
from paimon.composition import open_house, require_ready
from paimon.domain.risk.risk_event import NotAnOwner, RiskEvent, RiskEventClosed, parse_owner, shown_owner
from paimon.gateway.cli.process import explained, refuse
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.cli.text import counted
from paimon.infrastructure.blockchain.contracts import CallReverted
from paimon.infrastructure.database import version
from paimon.settings import Settings, load_settings

app = typer.Typer()

Assign = Annotated[
    tuple[int, str] | None,
    typer.Option(metavar="EVENT OWNER", help="Only give a difference to somebody: its number, and a role or an address."),
]


@app.command("reconcile")
def reconcile_now(context: typer.Context, assign: Assign = None) -> None:
    """Compare the books with the chain at the last recorded block; exit with 1 when a figure differs."""
    with explained():
        settings = load_settings(context.obj)
        if assign is not None:
            event = asyncio.run(_assign(settings, *assign))
            print(f"{event.id} is now {shown_owner(event.owner)}'s: {event}")
            return
        result = asyncio.run(_compare(settings))
    for event in result.events:
        print(_line(event, result.compared_at))
    print(f"{counted(result.figures_compared, 'figure')} compared at block {result.at}")
    print(f"differences: {len(result.differences)}")
    if result.differences:
        raise typer.Exit(1)


def _line(event: RiskEvent, now: datetime) -> str:
    """`12 CRITICAL open for 3 h 5 min, admin: supply: books 5, chain 7`"""
    found = event.found
    standing = f"{event.id} {found.severity} {event.state.lower()} for {_span(event.age(now))}, {shown_owner(event.owner)}"
    return f"{standing}: {found.subject}: books {found.observed}, chain {found.expected}"


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
        except (RiskEventNotFound, RiskEventClosed, NotAnOwner) as error:
            refuse(str(error))


async def _compare(settings: Settings) -> Reconciliation:
    async with open_house(settings, process="reconcile") as house:
        await require_ready(house)
        try:
            return await compare_and_publish(house.database, house.contracts, house.redis, material=settings.nav.material_bps)
        except NothingRecorded as error:
            refuse(str(error))
        except CallReverted as error:
            refuse(f"the fund cannot be read at the last recorded block: {error}")
