"""Settings of health checks."""

from pydantic import Field

from paimon.settings.base import SettingsGroup


class HealthSettings(SettingsGroup):
    """Limits from which `/system/health` reports a component as DEGRADED or DOWN.

    Source: docs/concepts/fund.md, "Operations".
    """

    check_timeout_seconds: float = Field(2.0, gt=0, description="seconds in which a component must answer, or it is DOWN")
    signer_check_seconds_max: float = Field(
        60.0, gt=0, description="seconds since the worker last asked the signer; more is DEGRADED"
    )
    lag_warning_seconds: int = Field(60, description="seconds since the last recorded block; more is DEGRADED")
    lag_critical_seconds: int = Field(300, description="seconds since the last recorded block; more is DOWN")
    outbox_warning: int = Field(1_000, description="messages due in the outbox; more is DEGRADED")
    outbox_critical: int = Field(5_000, description="messages due in the outbox; more is DOWN")
    notification_late_seconds: float = Field(
        300.0, gt=0, description="seconds that a notification has been waiting for its channel; more is DEGRADED"
    )
    snapshot_age_seconds: float = Field(
        600.0, gt=0, description="seconds of chain time from the last snapshot to the last recorded block; more is DEGRADED"
    )
    reconciliation_age_seconds: float = Field(
        7_200.0, gt=0, description="seconds since the last comparison of the records with the chain; more is DEGRADED"
    )
    finality_lag_blocks: int = Field(
        200, ge=1, description="blocks that the final block may be behind the head; more is a FINALITY_LAG risk event"
    )
    finality_lag_seconds: float = Field(
        120.0, gt=0, description="seconds of chain time that the final block may be behind the head; more is a FINALITY_LAG"
    )
    finality_lag_grace_seconds: float = Field(
        30.0, ge=0, description="seconds that the finality lag must last before it is a risk event"
    )
