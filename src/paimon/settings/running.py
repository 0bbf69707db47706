"""The services this house runs on, how often it does what, how long it keeps what, and when it complains."""

from typing import Literal, Self

from pydantic import Field, model_validator

from paimon.domain.kernel.units import Bps
from paimon.domain.risk.nav_publication import MATERIAL
from paimon.settings.base import Group, PostgresUrl, RedisUrl


class DatabaseSettings(Group):
    url: PostgresUrl = Field(description="as the application's role: postgresql+psycopg://app@host/paimon")
    owner_url: PostgresUrl | None = Field(None, description="as the owner of the tables; only `paimon db` uses it")
    read_url: PostgresUrl | None = Field(None, description="a replica for reads; the same as url when absent")
    pool_size: int = Field(5, ge=1, le=100)
    connect_timeout_seconds: int = Field(5, ge=1)


class RedisSettings(Group):
    url: RedisUrl = Field(description="redis://:password@host:port/0; broker, cache and live messages")


class QueueSettings(Group):
    relay_batch: int = Field(100, ge=1)
    relay_poll_seconds: float = Field(1.0, gt=0, description="sweep when no NOTIFY arrives")
    republish_seconds: int = Field(30, ge=1, description="enqueued but not done for so long: publish again")
    handler_attempts_max: int = Field(12, ge=1, description="then the row is dead-lettered, visibly")
    backoff_seconds_max: int = 300
    worker_concurrency: int = Field(2, ge=1)


class ScheduleSettings(Group):
    """Seconds between runs of each job."""

    settle_due_seconds: float = 10
    drive_wallets_seconds: float = 2
    observe_safes_seconds: float = 10
    snapshot_seconds: float = 60
    sla_sweep_seconds: float = 30
    reconcile_seconds: float = 3_600
    retention_seconds: float = Field(
        3_600, gt=0, description="each run looks what a day's end made due; a daily one would never come where restarts do"
    )


class NavSettings(Group):
    """Source of the threshold: decisions, "Differences"."""

    material_bps: Bps = Field(MATERIAL, ge=0, description="of net assets: from here on a difference withholds NAV")
    snapshot_pause_seconds: float = Field(5.0, gt=0, description="a burst of events gives one snapshot per pause")
    history_points_max: int = Field(2_500, ge=1, description="points of one answer; 90 days of hours are 2 160")
    explain_steps_max: int = Field(2_500, ge=1, description="snapshots one explanation may go through")


class RetentionSettings(Group):
    """Whole UTC days that the time series are kept. The database refuses to remove anything younger than the least allowed
    here, whoever asks. Source of the defaults: docs/fund.md, "Data".
    """

    daily_snapshots_days: int = Field(730, ge=90)
    asset_holdings_snapshots_days: int = Field(365, ge=30)
    event_processing_logs_days: int = Field(7, ge=1)
    compress_after_days: int = Field(
        30, ge=1, description="daily_snapshots, where TimescaleDB can; read by `paimon db upgrade`"
    )
    batch_rows_max: int = Field(5_000, ge=1, description="rows deleted in one transaction")
    batches_max: int = Field(200, ge=1, description="transactions of one run and series; the next run goes on")


class LeaseSettings(Group):
    ttl_seconds: float = Field(6.0, gt=0, description="a killed holder's successor starts after at most this long")
    renew_seconds: float = Field(2.0, gt=0)

    @model_validator(mode="after")
    def _renewed_in_time(self) -> Self:
        if self.renew_seconds >= self.ttl_seconds:
            raise ValueError("RENEW_SECONDS must be shorter than TTL_SECONDS, or every lease runs out before it is renewed")
        return self


class HealthSettings(Group):
    """From when on `/system/health` shows a part as degraded, or down. Source: docs/fund.md, "Operations"."""

    check_timeout_seconds: float = Field(2.0, gt=0, description="a part that does not answer within this is down")
    lag_warning_seconds: int = 60
    lag_critical_seconds: int = 300
    outbox_warning: int = 1_000
    outbox_critical: int = 5_000
    finality_lag_blocks: int = Field(200, ge=1, description="the final block further behind the head than this …")
    finality_lag_seconds: float = Field(120.0, gt=0, description="… or than this, in chain time, for …")
    finality_lag_lasting_seconds: float = Field(30.0, ge=0, description="… so long, is a risk event")


class MetricsSettings(Group):
    """Where each process answers `GET /metrics`: on a port of its own, away from the API's callers; without one, nowhere."""

    host: str = "127.0.0.1"
    api_port: int | None = Field(None, ge=1, le=65_535)
    listener_port: int | None = Field(None, ge=1, le=65_535)
    scheduler_port: int | None = Field(None, ge=1, le=65_535)
    worker_port: int | None = Field(
        None, ge=1, le=65_535, description="of the first of its processes; the others have the next ones"
    )


class LogSettings(Group):
    level: Literal["debug", "info", "warning", "error"] = "info"
    json_lines: bool = True
