"""`paimon scheduler`: enqueue jobs by the clock, under a lease."""

import typer

from paimon.composition import open_app_context, require_ready
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error, run_until_signalled, settings_for
from paimon.gateway.tasks.scheduler import run_scheduler
from paimon.infrastructure.observability.exposition import serve_metrics
from paimon.settings import Settings

app = CommandApp()


@app.command()
def scheduler(context: typer.Context) -> None:
    """Enqueue jobs by the clock.

    Of several schedulers one works and the others stand by.
    """
    with exit_on_error():
        run_until_signalled(_run_scheduler(settings_for(context, "scheduler")))


async def _run_scheduler(settings: Settings) -> None:
    async with open_app_context(settings, process="scheduler") as app_context:
        await require_ready(app_context)
        async with serve_metrics(
            "scheduler", settings.metrics.host, settings.metrics.scheduler_port, app_context.new_metrics_scraper().collect
        ):
            await run_scheduler(settings, app_context.database)
