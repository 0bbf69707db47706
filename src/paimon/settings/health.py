"""Settings of health checks."""

from pydantic import Field

from paimon.settings.base import SettingsGroup


class HealthSettings(SettingsGroup):
    """From when on `/system/health` shows a part as degraded, or down. Source: docs/concepts/fund.md, "Operations"."""

    check_timeout_seconds: float = Field(2.0, gt=0, description="a part that does not answer within this is down")
    lag_warning_seconds: int = 60
    lag_critical_seconds: int = 300
    outbox_warning: int = 1_000
    outbox_critical: int = 5_000
    finality_lag_blocks: int = Field(200, ge=1, description="the final block further behind the head than this …")
    finality_lag_seconds: float = Field(120.0, gt=0, description="… or than this, in chain time, for …")
    finality_lag_grace_seconds: float = Field(30.0, ge=0, description="… so long, is a risk event")
