"""When prices are trusted: steps and tolerances by tier, the calendar of an asset, and a bound on its growth.

Source of the defaults: docs/concepts/prices.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from typing import Final

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import Bps, RawAmount
from paimon.domain.price.agreement import AgreementRules
from paimon.domain.price.calendar import BusinessDays, Calendar
from paimon.domain.price.observation import PriceSource, SourceKind

_YEAR: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class TierLimits:
    """How far sources may be apart, and how far a price may move in one publication and in 24 hours."""

    tolerance: Bps
    step: Bps


DEFAULT_LIMITS: Final[Mapping[Tier, TierLimits]] = {
    Tier.L1: TierLimits(tolerance=Bps(50), step=Bps(100)),
    Tier.L2: TierLimits(tolerance=Bps(100), step=Bps(200)),
    Tier.L3: TierLimits(tolerance=Bps(300), step=Bps(1_000)),
}


DEFAULT_CALENDAR: Final[Calendar] = BusinessDays()
DEFAULT_OUTLIER: Final = Bps(200)


@dataclass(frozen=True, slots=True)
class GrowthBound:
    """The greatest price that an asset can have grown to from one dated price; both are of one record."""

    price: RawAmount
    at: datetime
    growth_a_year: Bps

    def greatest(self, now: datetime) -> RawAmount:
        """Return price × (1 + growth)^years at a time, rounded down; before `at`, the price itself."""
        with localcontext(prec=60):
            years = Decimal(max((now - self.at) // timedelta(seconds=1), 0)) / Decimal(int(_YEAR.total_seconds()))
            return RawAmount(int(self.price * (1 + Decimal(self.growth_a_year) / 10_000) ** years))


@dataclass(frozen=True, slots=True)
class AssetPricing:
    """What is particular to one asset's prices. `sources` names those that count beside the fund's own adapter."""

    calendar: Calendar
    growth_bound: GrowthBound | None = None
    sources: frozenset[str] = frozenset()

    def counts(self, source: PriceSource) -> bool:
        """Report whether a source is one of the asset's: what another one said was said before it was taken out."""
        return source.kind is SourceKind.ADAPTER or source.name in self.sources


@dataclass(frozen=True, slots=True)
class PricePolicy:
    """Everything that decides whether a price is trusted."""

    limits: Mapping[Tier, TierLimits] = field(default_factory=lambda: DEFAULT_LIMITS)
    default_calendar: Calendar = DEFAULT_CALENDAR
    assets: Mapping[Address, AssetPricing] = field(default_factory=dict)
    missed_max: int = 1
    """Missed publications that a price may have; one warns."""
    outlier_bps_min: Bps = DEFAULT_OUTLIER
    """An outlier is at least this far from the median, however close the others are."""
    shadow_publications: int = 5
    """Publications that a new source is only watched for, while there is an older one."""
    release_publications: int = 3
    """Publications within one step of each other that make a jump the new price."""

    def pricing(self, token: Address) -> AssetPricing:
        """Return the pricing of an asset; one without its own has the default calendar."""
        return self.assets.get(token) or AssetPricing(self.default_calendar)

    def agreement_rules(self, tier: Tier) -> AgreementRules:
        return AgreementRules(self.limits[tier].tolerance, self.outlier_bps_min, self.shadow_publications, self.missed_max)
