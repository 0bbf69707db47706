"""The jobs and their intervals. All jobs are level-triggered: a missed or doubled run changes nothing."""

from dataclasses import dataclass

from paimon.domain.operations.outbox import OutboxPriority
from paimon.settings import ScheduleSettings


@dataclass(frozen=True, slots=True)
class Job:
    """A task, its queue, and the seconds between two runs."""

    task: str
    queue: OutboxPriority
    every_seconds: float


def jobs(schedule: ScheduleSettings) -> tuple[Job, ...]:
    """Return every job with its interval from the settings."""
    return (
        Job("paimon.drive_wallets", OutboxPriority.CHAIN, schedule.drive_wallets_seconds),
        Job("paimon.sync_safes", OutboxPriority.CHAIN, schedule.sync_safes_seconds),
        Job("paimon.check_signer", OutboxPriority.CHAIN, schedule.check_signer_seconds),
        Job("paimon.settle_due", OutboxPriority.HIGH, schedule.settle_due_seconds),
        Job("paimon.queue_decided_calls", OutboxPriority.HIGH, schedule.settle_due_seconds),
        Job("paimon.sweep_sla", OutboxPriority.HIGH, schedule.sla_sweep_seconds),
        Job("paimon.check_users", OutboxPriority.HIGH, schedule.check_users_seconds),
        Job("paimon.check_splits", OutboxPriority.NORMAL, schedule.check_splits_seconds),
        Job("paimon.observe_prices", OutboxPriority.NORMAL, schedule.observe_prices_seconds),
        Job("paimon.take_snapshot", OutboxPriority.NORMAL, schedule.snapshot_seconds),
        Job("paimon.assess_risk", OutboxPriority.HIGH, schedule.assess_risk_seconds),
        Job("paimon.advance_emergency", OutboxPriority.CRITICAL, schedule.advance_emergency_seconds),
        Job("paimon.forecast_liquidity", OutboxPriority.REPORTS, schedule.forecast_seconds),
        Job("paimon.heartbeat", OutboxPriority.HIGH, schedule.heartbeat_seconds),
        Job("paimon.examine_contracts", OutboxPriority.NORMAL, schedule.examine_contracts_seconds),
        Job("paimon.reconcile", OutboxPriority.REPORTS, schedule.reconcile_seconds),
        Job("paimon.make_reports", OutboxPriority.REPORTS, schedule.make_reports_seconds),
        Job("paimon.apply_retention", OutboxPriority.REPORTS, schedule.retention_seconds),
    )
