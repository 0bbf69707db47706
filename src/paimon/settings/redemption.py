"""Settings of redemptions: which requests count as split or as dust. The contract's own thresholds are the defaults."""

from pydantic import Field

from paimon.settings.base import SettingsGroup


class RedemptionSettings(SettingsGroup):
    """Limits of the alerts about split redemptions. Source of the defaults: docs/concepts/fund.md, "Redemptions"."""

    split_window_hours: int = Field(
        168, ge=1, description="hours in which requests of one holder or one receiver count together; 168 is T+7"
    )
    standard_approval: int = Field(
        100_000, gt=0, description="whole units of the vault's asset; from this amount on, a standard request needs an approval"
    )
    standard_approval_bps: int = Field(
        500, gt=0, le=10_000, description="basis points of L1 and L2; from this part on, a standard request needs an approval"
    )
    emergency_approval: int = Field(
        30_000, gt=0, description="whole units of the vault's asset; above this amount, an emergency request needs an approval"
    )
    emergency_approval_bps: int = Field(
        1_000, gt=0, le=10_000, description="basis points of L1; above this part, an emergency request needs an approval"
    )
    scheduled_bps: int = Field(
        200,
        gt=0,
        le=10_000,
        description="basis points of net assets; from this part on, a request waits for a quarterly window",
    )
    dust_amount: int = Field(
        500, ge=0, description="whole units of the vault's asset; a request below it is dust; 500 is the smallest deposit"
    )
    dust_requests: int = Field(
        10, ge=2, description="requests of dust of one holder or one receiver in a window, from which on they are an alert"
    )
    dust_requests_of_all: int = Field(
        100, ge=2, description="requests of dust of all holders together in a window, from which on they are an alert"
    )
