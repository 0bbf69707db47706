"""What a plan aims at and must keep. Source of the defaults: docs/concepts/rebalancing.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import BPS_ONE, WAD, Bps, RawAmount


class LimitGroup(StrEnum):
    """Limits in the order in which they matter: where not all can be kept, the last ones give way first."""

    PAYOUTS = "payouts"  # cash for what is due today and for what this day's sales must raise
    CONTRACT_BANDS = "contract_bands"  # a tier's band on chain
    BANDS = "bands"  # the band of the settings
    ASSET_CAP = "asset_cap"
    TOP3_CAP = "top3_cap"
    COUNTERPARTY_CAP = "counterparty_cap"
    SCHEDULE = "schedule"  # what each tier and bucket should trade today


@dataclass(frozen=True, slots=True)
class Band:
    """Least and greatest share of the total, ends included."""

    minimum: Bps
    maximum: Bps

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= self.maximum <= BPS_ONE:
            raise ValueError(f"a band goes from 0 to {BPS_ONE} bps and not backwards, got {self.minimum} to {self.maximum}")


_TARGETS: Final[Mapping[Tier, Bps]] = {Tier.L1: Bps(1_100), Tier.L2: Bps(3_100), Tier.L3: Bps(5_800)}
_BANDS: Final[Mapping[Tier, Band]] = {
    Tier.L1: Band(Bps(500), Bps(2_000)),
    Tier.L2: Band(Bps(2_000), Bps(4_000)),
    Tier.L3: Band(Bps(5_000), Bps(7_000)),
}
_CONTRACT_BANDS: Final[Mapping[Tier, Band]] = {
    Tier.L1: Band(Bps(500), Bps(3_000)),
    Tier.L2: Band(Bps(1_000), Bps(5_000)),
    Tier.L3: Band(Bps(3_000), Bps(8_000)),
}


@dataclass(frozen=True, slots=True)
class PlanPolicy:
    """Targets, limits and prices of a plan.

    A tier within `landing` of its target is on target. Being off target costs `deviation_cost_per_day` of the amount beyond the
    landing; that price decides how much trading is worth. A trade whose cost is above `slippage_max` is not made.

    Raises:
        ValueError: the targets do not add up to 10 000 bps, or a target is outside of its band.
    """

    targets: Mapping[Tier, Bps] = field(default_factory=lambda: dict(_TARGETS))
    bands: Mapping[Tier, Band] = field(default_factory=lambda: dict(_BANDS))
    contract_bands: Mapping[Tier, Band] = field(default_factory=lambda: dict(_CONTRACT_BANDS))
    landing: Bps = Bps(25)
    asset_cap: Bps = Bps(2_500)
    top3_cap: Bps = Bps(6_000)
    counterparty_cap: Bps = BPS_ONE
    slippage_warning: Bps = Bps(200)
    slippage_max: Bps = Bps(500)
    gas_per_trade: RawAmount = RawAmount(WAD // 2)
    gas_share_max: Bps = Bps(1_000)
    smallest_plan: RawAmount = RawAmount(1_000 * WAD)
    deviation_cost_per_day: Bps = Bps(10)
    days: tuple[int, ...] = (0, 1, 3, 7, 14)

    def __post_init__(self) -> None:
        if sum(self.targets.values()) != BPS_ONE:
            raise ValueError(f"the targets add up to {sum(self.targets.values())} bps, not {BPS_ONE}")
        for tier, target in self.targets.items():
            band = self.band(tier)
            if not band.minimum <= target <= band.maximum:
                raise ValueError(f"the target of {tier}, {target} bps, is outside of {band.minimum} to {band.maximum}")
        if self.days[:1] != (0,) or any(later <= sooner for sooner, later in zip(self.days, self.days[1:], strict=False)):
            raise ValueError("the days of the schedule begin with 0 and rise")

    def band(self, tier: Tier) -> Band:
        """Return the stricter of the two bands of a tier. Raises ValueError where they have nothing in common."""
        own, contract = self.bands[tier], self.contract_bands[tier]
        return Band(max(own.minimum, contract.minimum), min(own.maximum, contract.maximum))
