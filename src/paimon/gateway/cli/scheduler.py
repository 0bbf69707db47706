"""`paimon scheduler`: enqueue what runs by the clock, under a lease."""

import typer

from paimon.composition import open_house, require_ready
from paimon.gateway.cli.process import explained, run_until_signalled, settings_for
from paimon.gateway.tasks.scheduler import run_scheduler
from paimon.infrastructure.observability.exposition import exposing
from paimon.settings import Settings

app = typer.Typer()


@app.command()
def scheduler(context: typer.Context) -> None:
    """Enqueue what runs by the clock. Any number may run: one works, the others stand by."""
    with explained():
        run_until_signalled(_schedule(settings_for(context, "scheduler")))


async def _schedule(settings: Settings) -> None:
    async with open_house(settings, process="scheduler") as house:
        await require_ready(house)
        async with exposing("scheduler", settings.metrics.host, settings.metrics.scheduler_port, house.new_scraper().collect):
            await run_scheduler(settings, house.database)
