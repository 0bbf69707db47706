"""Settings of prices: when one is trusted. Source of the defaults: docs/concepts/prices.md."""

from datetime import time, timedelta
from pathlib import Path
from typing import Final

from pydantic import Field

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import Bps
from paimon.domain.price.calendar import BusinessDays, Calendar, Heartbeat
from paimon.domain.price.policy import DEFAULT_LIMITS, AssetPricing, PricePolicy, TierLimits
from paimon.settings.base import SettingsGroup
from paimon.settings.price_sources import PriceSources, read_price_sources


class TierPriceSettings(SettingsGroup):
    """Limits of the prices of one tier's assets, in basis points."""

    tolerance_bps: int = Field(ge=0, le=10_000, description="how far two sources, or a source and the contracts, may be apart")
    step_bps: int = Field(ge=0, description="how far a price may move in one publication and in 24 hours")


def _tier(tier: Tier) -> TierPriceSettings:
    default: Final = DEFAULT_LIMITS[tier]
    field: TierPriceSettings = Field(
        TierPriceSettings(tolerance_bps=default.tolerance, step_bps=default.step), description=f"prices of {tier}"
    )
    return field


class PricesSettings(SettingsGroup):
    """When a price is trusted, and which sources say one."""

    file: Path | None = Field(
        None, description="TOML file of the assets' calendars, growth bounds and sources beside the fund's adapter"
    )
    source_timeout_seconds: float = Field(5, gt=0, le=60, description="seconds to wait for the answer of a web source")
    l1: TierPriceSettings = _tier(Tier.L1)
    l2: TierPriceSettings = _tier(Tier.L2)
    l3: TierPriceSettings = _tier(Tier.L3)
    cut_off: time = Field(time(18), description="UTC time by which the price of a business day is known")
    grace_hours: float = Field(6, ge=0, description="hours after the cut-off, or after a heartbeat, before it counts as missed")
    lag_days: int = Field(0, ge=0, le=30, description="business days between the valuation and the cut-off that publishes it")
    heartbeat_seconds: float | None = Field(
        None,
        gt=0,
        description="seconds between two valuations, weekends included; without it one is expected each business day",
    )
    missed_max: int = Field(1, ge=0, description="missed publications with which a price is still trusted")
    release_publications: int = Field(3, ge=2, description="publications that agree after which a jump is the price")

    @property
    def sources(self) -> PriceSources:
        """Read the file; without one there are no other sources.

        Raises:
            SettingsError.
        """
        return PriceSources() if self.file is None else read_price_sources(self.file)

    def policy(self) -> PricePolicy:
        """Raises SettingsError."""
        tiers = {Tier.L1: self.l1, Tier.L2: self.l2, Tier.L3: self.l3}
        return PricePolicy(
            limits={tier: TierLimits(Bps(limits.tolerance_bps), Bps(limits.step_bps)) for tier, limits in tiers.items()},
            default_calendar=self._calendar(),
            assets={
                asset.token: AssetPricing(
                    asset.calendar,
                    asset.growth.bound if asset.growth else None,
                    frozenset(source.name for source in asset.sources),
                )
                for asset in self.sources.assets
            },
            missed_max=self.missed_max,
            release_publications=self.release_publications,
        )

    def _calendar(self) -> Calendar:
        grace = timedelta(hours=self.grace_hours)
        if self.heartbeat_seconds is not None:
            return Heartbeat(timedelta(seconds=self.heartbeat_seconds), grace)
        return BusinessDays(self.cut_off, grace, self.lag_days)
