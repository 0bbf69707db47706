"""`paimon reconcile`: the books against the chain, now."""

import asyncio

import typer

from paimon.application.books.nav import publish_nav
from paimon.application.books.reconcile import NothingRecorded, Reconciliation, reconcile
from paimon.composition import open_house, require_ready
from paimon.gateway.cli.process import explained, refuse
from paimon.settings import Settings, load_settings

app = typer.Typer()


@app.command("reconcile")
def reconcile_now(context: typer.Context) -> None:
    """Compare the books with the chain at the last recorded block; exit with 1 when a figure differs."""
    with explained():
        result = asyncio.run(_compare(load_settings(context.obj)))
    for each in result.differences:
        print(each)
    print(f"{result.figures_compared} figures compared at block {result.at}")
    print(f"differences: {len(result.differences)}")
    if result.differences:
        raise typer.Exit(1)


async def _compare(settings: Settings) -> Reconciliation:
    async with open_house(settings, process="reconcile") as house:
        await require_ready(house)
        try:
            result = await reconcile(house.database, house.contracts)
        except NothingRecorded as error:
            refuse(str(error))
        await publish_nav(house.database, house.redis, threshold=settings.nav.material_bps)
        return result
