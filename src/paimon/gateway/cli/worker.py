"""`paimon worker`: relay the outbox, react to events, drive the wallets."""

import asyncio
from typing import Annotated

import typer

from paimon.composition import open_house, require_ready
from paimon.gateway.cli.process import explained, refuse, settings_for
from paimon.gateway.tasks.app import create_worker
from paimon.infrastructure.database.models.owned import OutboxPriority
from paimon.settings import Settings

app = typer.Typer()


@app.command()
def worker(
    context: typer.Context,
    queues: Annotated[str, typer.Option(help="Comma-separated queues to serve.")] = ",".join(OutboxPriority),
) -> None:
    """Do what is due: relay the outbox, react to events, drive the wallets."""
    unknown = set(queues.split(",")) - set(OutboxPriority)
    if unknown:
        refuse(f"no queue is called {', '.join(sorted(unknown))}; there are {', '.join(OutboxPriority)}")
    with explained():
        settings = settings_for(context, "worker")
        asyncio.run(_require_ready(settings))
        create_worker(settings).worker_main([
            "--quiet",
            "worker",
            *("--pool", "prefork", "--concurrency", str(settings.queue.worker_concurrency)),
            *("--queues", queues, "--loglevel", "WARNING"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ])  # fmt: skip


async def _require_ready(settings: Settings) -> None:
    async with open_house(settings, process="worker") as house:
        await require_ready(house)
