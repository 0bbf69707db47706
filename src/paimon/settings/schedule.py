"""Settings of the scheduler: how often each job runs."""

from pydantic import Field

from paimon.settings.base import SettingsGroup


class ScheduleSettings(SettingsGroup):
    """Seconds between runs of each job."""

    settle_due_seconds: float = 10
    drive_wallets_seconds: float = 2
    sync_safes_seconds: float = 10
    snapshot_seconds: float = 60
    sla_sweep_seconds: float = 30
    reconcile_seconds: float = 3_600
    retention_seconds: float = Field(
        3_600, gt=0, description="each run looks what a day's end made due; a daily one would never come where restarts do"
    )
