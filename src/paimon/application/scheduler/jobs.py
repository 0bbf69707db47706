"""The jobs and how often they are enqueued. All are level-triggered: a missed or doubled run changes nothing."""

from dataclasses import dataclass

from paimon.infrastructure.database.models.ops.outbox import OutboxPriority
from paimon.settings import ScheduleSettings


@dataclass(frozen=True, slots=True)
class Job:
    """A task name, its queue, and the seconds between runs."""

    task: str
    queue: OutboxPriority
    every_seconds: float


def jobs(schedule: ScheduleSettings) -> tuple[Job, ...]:
    return (
        Job("paimon.drive_wallets", OutboxPriority.CHAIN, schedule.drive_wallets_seconds),
        Job("paimon.sync_safes", OutboxPriority.CHAIN, schedule.sync_safes_seconds),
        Job("paimon.settle_due", OutboxPriority.HIGH, schedule.settle_due_seconds),
        Job("paimon.queue_decided_calls", OutboxPriority.HIGH, schedule.settle_due_seconds),
        Job("paimon.sweep_sla", OutboxPriority.HIGH, schedule.sla_sweep_seconds),
        Job("paimon.take_snapshot", OutboxPriority.NORMAL, schedule.snapshot_seconds),
        Job("paimon.reconcile", OutboxPriority.REPORTS, schedule.reconcile_seconds),
        Job("paimon.apply_retention", OutboxPriority.REPORTS, schedule.retention_seconds),
    )
