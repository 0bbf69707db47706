"""Settings of retention: how long rows are kept."""

from pydantic import Field

from paimon.settings.base import SettingsGroup


class RetentionSettings(SettingsGroup):
    """Whole UTC days that the time series are kept. The database refuses to remove anything younger than the least allowed
    here, whoever asks. Source of the defaults: docs/concepts/fund.md, "Data".
    """

    daily_snapshots_days: int = Field(730, ge=90)
    asset_holdings_snapshots_days: int = Field(365, ge=30)
    event_processing_logs_days: int = Field(7, ge=1)
    compress_after_days: int = Field(
        30, ge=1, description="daily_snapshots, where TimescaleDB can; read by `paimon db upgrade`"
    )
    batch_rows_max: int = Field(5_000, ge=1, description="rows deleted in one transaction")
    batches_max: int = Field(200, ge=1, description="transactions of one run and series; the next run goes on")
