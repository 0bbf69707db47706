"""`paimon listener`: follow the chain under a lease."""

import typer
from rich.console import Console

from paimon.application.event_listener.ingest.halt import LISTENER
from paimon.application.event_listener.ingest.head_monitor import HeadWatch, watched
from paimon.application.event_listener.ingest.listener import Listener
from paimon.composition import open_house, require_ready
from paimon.gateway.cli.catch_up_progress import shown_catching_up
from paimon.gateway.cli.process import explained, rare_collections, run_until_signalled, settings_for
from paimon.infrastructure.database.leadership import lead
from paimon.infrastructure.observability.exposition import exposing
from paimon.settings import Settings

app = typer.Typer()


@app.command()
def listener(context: typer.Context) -> None:
    """Follow the chain. Any number may run: one works, the others stand by."""
    with explained(), rare_collections(50_000):
        run_until_signalled(_follow(settings_for(context, "listener")))


async def _follow(settings: Settings) -> None:
    with shown_catching_up(Console(stderr=True)) as tell:
        async with open_house(settings, process="listener") as house:
            await require_ready(house)
            following = Listener(
                database=house.database,
                contracts=house.contracts,
                chain=house.chain,
                options=settings.chain,
                start_block=settings.fund.start_block,
                tell=tell,
            )
            watch = HeadWatch(
                database=house.database,
                contracts=house.contracts,
                chain=house.chain,
                redis=house.redis,
                options=settings.chain,
                limits=settings.health,
            )
            async with exposing("listener", settings.metrics.host, settings.metrics.listener_port, house.new_scraper().collect):
                await lead(
                    house.database,
                    LISTENER,
                    watched(following.follow, watch),
                    ttl_seconds=settings.lease.ttl_seconds,
                    renew_seconds=settings.lease.renew_seconds,
                )
