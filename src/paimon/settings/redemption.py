"""Settings of redemptions: which requests count as split or as dust, and when dust is settled."""

from datetime import timedelta

from pydantic import Field

from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.dust import DustPolicy
from paimon.settings.base import SettingsGroup


class RedemptionSettings(SettingsGroup):
    """Limits of the alerts about split redemptions, and how dust is settled. Source of the defaults: docs/concepts/fund.md."""

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
    dust_gas_price_wei: int = Field(
        3 * 10**9, ge=0, description="wei per gas; dust is settled at once while the price is at most this, else it waits"
    )
    dust_wait_hours: int = Field(
        24, ge=0, description="hours after its settlement date within which dust is settled at any price; 0 lets none wait"
    )
    dust_batch: int = Field(
        8, ge=1, le=16, description="settlements of dust that the keeper sends at once; others find a place beside them"
    )

    def dust_policy(self, decimals: int) -> DustPolicy:
        """Return the policy in raw units of an asset with this many decimals."""
        return DustPolicy(
            amount=RawAmount(self.dust_amount * 10**decimals),
            batch_size=self.dust_batch,
            wait=timedelta(hours=self.dust_wait_hours),
            gas_price_wei_max=self.dust_gas_price_wei,
        )
