"""Settings of the scheduler: how often each job runs."""

from pydantic import Field

from paimon.settings.base import SettingsGroup


class ScheduleSettings(SettingsGroup):
    """Seconds between two runs of each job."""

    settle_due_seconds: float = Field(10, description="seconds between searches for due redemptions")
    drive_wallets_seconds: float = Field(2, description="seconds between runs of the wallets' drivers")
    sync_safes_seconds: float = Field(10, description="seconds between reads of the Safes on chain")
    check_signer_seconds: float = Field(10, gt=0, description="seconds between the worker's checks of the signer")
    snapshot_seconds: float = Field(60, description="seconds between snapshots of the fund")
    observe_prices_seconds: float = Field(60, gt=0, description="seconds between reads of the price sources of the file")
    assess_risk_seconds: float = Field(60, gt=0, description="seconds between assessments of the fund's risk; fewer at NORMAL")
    advance_emergency_seconds: float = Field(10, gt=0, description="seconds between looks at the emergency protocol")
    forecast_seconds: float = Field(3_600, gt=0, description="seconds between forecasts of the fund's liquidity")
    sla_sweep_seconds: float = Field(30, description="seconds between checks of the tickets' deadlines")
    check_users_seconds: float = Field(
        60, gt=0, description="seconds between comparisons of users and policy versions with what was signed"
    )
    check_splits_seconds: float = Field(60, gt=0, description="seconds between searches for redemptions that were split")
    heartbeat_seconds: float = Field(60, gt=0, description="seconds between calls of the heartbeat's URL")
    reconcile_seconds: float = Field(3_600, description="seconds between reconciliations with the chain")
    make_reports_seconds: float = Field(600, gt=0, description="seconds between searches for reports that are due")
    examine_contracts_seconds: float = Field(
        3_600, gt=0, description="seconds between examinations of the contracts' code, proxies and functions"
    )
    retention_seconds: float = Field(
        3_600,
        gt=0,
        description="seconds between retention runs; a daily run would never come where the process restarts daily",
    )
