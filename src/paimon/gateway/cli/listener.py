"""`paimon listener`: follow the chain under a lease."""

import typer
from rich.console import Console

from paimon.application.event_listener.ingest.halt import LISTENER
from paimon.application.event_listener.ingest.head_monitor import HeadMonitor, with_head_monitor
from paimon.application.event_listener.ingest.listener import Listener
from paimon.composition import open_app_context, require_ready
from paimon.gateway.cli.catch_up_progress import catch_up_progress
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error, infrequent_gc, run_until_signalled, settings_for
from paimon.infrastructure.database.leadership import run_as_leader
from paimon.infrastructure.observability.exposition import serve_metrics
from paimon.settings import Settings

app = CommandApp()


@app.command()
def listener(context: typer.Context) -> None:
    """Follow the chain and record its logs.

    Of several listeners one works and the others stand by.
    """
    with exit_on_error(), infrequent_gc(50_000):
        run_until_signalled(_run_listener(settings_for(context, "listener")))


async def _run_listener(settings: Settings) -> None:
    with catch_up_progress(Console(stderr=True)) as report_progress:
        async with open_app_context(settings, process="listener") as app_context:
            await require_ready(app_context)
            chain_listener = Listener(
                database=app_context.database,
                contracts=app_context.contracts,
                chain=app_context.chain,
                options=settings.chain,
                start_block=settings.fund.start_block,
                report_progress=report_progress,
            )
            monitor = HeadMonitor(
                database=app_context.database,
                contracts=app_context.contracts,
                chain=app_context.chain,
                redis=app_context.redis,
                options=settings.chain,
                limits=settings.health,
            )
            async with serve_metrics(
                "listener", settings.metrics.host, settings.metrics.listener_port, app_context.new_metrics_scraper().collect
            ):
                await run_as_leader(
                    app_context.database,
                    LISTENER,
                    with_head_monitor(chain_listener.follow, monitor),
                    ttl_seconds=settings.lease.ttl_seconds,
                    renew_seconds=settings.lease.renew_seconds,
                )
