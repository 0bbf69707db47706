"""Settings of retention: how long rows are kept."""

from pydantic import Field

from paimon.settings.base import SettingsGroup


class RetentionSettings(SettingsGroup):
    """Whole UTC days that time series, and the payloads of the audit trail, are kept.

    The database refuses to delete rows younger than the minimum allowed here. Source of the defaults:
    docs/concepts/fund.md, "Data".
    """

    daily_snapshots_days: int = Field(730, ge=90, description="days that daily snapshots are kept")
    asset_holdings_snapshots_days: int = Field(365, ge=30, description="days that snapshots of asset holdings are kept")
    event_processing_logs_days: int = Field(7, ge=1, description="days that the listener's batch logs are kept")
    risk_metrics_series_days: int = Field(90, ge=30, description="days that the values of risk indicators are kept")
    audit_low_days: int = Field(90, ge=30, description="days that the payloads of sign-ins and failed calls are kept")
    audit_medium_days: int = Field(365, ge=180, description="days that the payloads of approvals and refusals are kept")
    audit_high_days: int = Field(
        2_557, ge=2_190, description="days that the payloads of roles, plans, transactions and signatures are kept: 7 years"
    )
    compress_after_days: int = Field(
        30,
        ge=1,
        description="days after which TimescaleDB, if present, compresses daily snapshots; read by `paimon db upgrade`",
    )
    batch_rows_max: int = Field(5_000, ge=1, description="rows deleted in one transaction")
    batches_max: int = Field(200, ge=1, description="transactions of one run for each series; the next run continues")
