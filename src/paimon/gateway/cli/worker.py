"""`paimon worker`: relay the outbox, handle its messages, run the jobs and drive the wallets."""

import asyncio
from typing import Annotated

import typer

from paimon.composition import require_signer_link
from paimon.domain.operations.outbox import OutboxPriority
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error, exit_with_message, settings_for
from paimon.gateway.cli.resources import check_ready
from paimon.gateway.tasks.app import create_worker, run_worker

app = CommandApp()


@app.command()
def worker(
    context: typer.Context,
    queues: Annotated[str, typer.Option(help="The queues to serve, separated by commas.")] = ",".join(OutboxPriority),
) -> None:
    """Relay the outbox, handle its messages, run the jobs and drive the wallets."""
    served = list(dict.fromkeys(queues.split(",")))
    if unknown := set(served) - set(OutboxPriority):
        exit_with_message(f"no queue is called {', '.join(sorted(unknown))}; there are {', '.join(OutboxPriority)}")
    with exit_on_error():
        settings = settings_for(context, "worker")
        require_signer_link(settings)
        asyncio.run(check_ready(settings, process="worker"))
        celery = create_worker(settings, queues=served)
        exit_code = run_worker(celery, queues=served, concurrency=settings.queue.worker_concurrency)
    if exit_code != 0:
        exit_with_message("the worker ended by itself")
