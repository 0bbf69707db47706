"""The scheduler process: APScheduler under a lease. It enqueues jobs and runs none."""

import asyncio
from functools import partial

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from celery import Celery
from celery.exceptions import OperationalError

from paimon.application.scheduler.jobs import Job, jobs
from paimon.gateway.tasks.app import create_celery
from paimon.infrastructure.database.leadership import run_as_leader
from paimon.infrastructure.database.leases import HeldLease
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.observability.metrics import JOBS_ENQUEUED
from paimon.infrastructure.observability.outages import Outages
from paimon.settings import Settings

log = structlog.get_logger(__name__)

LEASE = "scheduler"


async def run_scheduler(settings: Settings, database: Database) -> None:
    """Enqueue each job at its interval while this process holds the lease; stand by otherwise."""
    app = create_celery(settings)
    await run_as_leader(
        database,
        LEASE,
        partial(_enqueue_jobs, app, settings),
        ttl_seconds=settings.lease.ttl_seconds,
        renew_seconds=settings.lease.renew_seconds,
    )


async def _enqueue_jobs(app: Celery, settings: Settings, lease: HeldLease) -> None:
    scheduler, outages = AsyncIOScheduler(timezone="UTC"), Outages()
    for job in jobs(settings.schedule):
        scheduler.add_job(
            partial(_enqueue, app, job, outages),
            "interval",
            seconds=job.every_seconds,
            max_instances=1,
            coalesce=True,
            id=job.task,
            name=job.task,
        )
    scheduler.start()
    log.info("scheduler.started", epoch=lease.epoch, jobs=len(scheduler.get_jobs()))
    try:
        await asyncio.Event().wait()
    finally:
        scheduler.shutdown(wait=False)


async def _enqueue(app: Celery, job: Job, outages: Outages) -> None:
    """Enqueue one run of a job. The message expires when the next run is due: jobs act on the present state."""
    try:
        await asyncio.to_thread(app.send_task, job.task, queue=job.queue.value, expires=max(job.every_seconds, 5.0))
        JOBS_ENQUEUED.labels(job.task, "sent").inc()
        outages.record_success(job.task)
    except OperationalError as error:
        JOBS_ENQUEUED.labels(job.task, "refused").inc()
        outages.record_failure("broker", str(error), task=job.task)
