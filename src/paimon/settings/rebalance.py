"""Settings of the rebalance engine's plans: targets, bands, caps, and what trading may cost."""

from decimal import Decimal
from typing import Self

from pydantic import Field, model_validator

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import WAD, Bps, RawAmount
from paimon.domain.rebalance.plan_policy import Band, PlanPolicy
from paimon.settings.base import SettingsGroup

_DEFAULT = PlanPolicy()


def _target(tier: Tier) -> int:
    field: int = Field(
        _DEFAULT.targets[tier], ge=0, le=10_000, description=f"target of {tier} in basis points; the three add up to 10 000"
    )
    return field


def _end(tier: Tier, end: str) -> int:
    band = _DEFAULT.bands[tier]
    default = band.minimum if end == "lower" else band.maximum
    field: int = Field(default, ge=0, le=10_000, description=f"{end} end of {tier}'s band; the contract's band holds as well")
    return field


class RebalanceSettings(SettingsGroup):
    """What plans aim at and must keep. Source of the defaults: docs/concepts/rebalancing.md."""

    l1_target_bps: int = _target(Tier.L1)
    l1_minimum_bps: int = _end(Tier.L1, "lower")
    l1_maximum_bps: int = _end(Tier.L1, "upper")
    l2_target_bps: int = _target(Tier.L2)
    l2_minimum_bps: int = _end(Tier.L2, "lower")
    l2_maximum_bps: int = _end(Tier.L2, "upper")
    l3_target_bps: int = _target(Tier.L3)
    l3_minimum_bps: int = _end(Tier.L3, "lower")
    l3_maximum_bps: int = _end(Tier.L3, "upper")
    landing_bps: int = Field(_DEFAULT.landing, ge=0, le=500, description="a tier this near its target is on target")
    deviation_cost_per_day_bps: int = Field(
        _DEFAULT.deviation_cost_per_day,
        ge=0,
        le=1_000,
        description="what a day off target costs, of the amount beyond the landing",
    )
    asset_cap_bps: int = Field(_DEFAULT.asset_cap, ge=0, le=10_000, description="the largest share of one asset")
    top3_cap_bps: int = Field(_DEFAULT.top3_cap, ge=0, le=10_000, description="the largest share of three assets together")
    counterparty_cap_bps: int = Field(
        _DEFAULT.counterparty_cap, ge=0, le=10_000, description="the largest share of one counterparty"
    )
    slippage_warning_bps: int = Field(
        _DEFAULT.slippage_warning, ge=0, le=10_000, description="a trade that costs more is marked"
    )
    slippage_max_bps: int = Field(_DEFAULT.slippage_max, ge=0, le=10_000, description="a trade that costs more is not made")
    gas_per_trade: Decimal = Field(
        Decimal("0.5"), ge=0, le=1_000, description="whole units of the vault's asset that the gas of a trade is worth"
    )
    smallest_plan: Decimal = Field(
        Decimal(1_000), ge=0, description="whole units of the vault's asset; a smaller plan is not worth it"
    )

    automatic: bool = Field(
        False, description="whether the planner submits plans when a trigger fires; otherwise triggers are judged and shown"
    )
    solver_seconds_max: float = Field(
        60, gt=0, le=600, description="seconds that the solver has; without its answer the plan is a greedy one that says so"
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        self.policy()
        return self

    def policy(self) -> PlanPolicy:
        """Build the policy, its amounts with 18 decimals. Raises ValueError where the settings contradict one another."""
        tiers = {
            Tier.L1: (self.l1_target_bps, self.l1_minimum_bps, self.l1_maximum_bps),
            Tier.L2: (self.l2_target_bps, self.l2_minimum_bps, self.l2_maximum_bps),
            Tier.L3: (self.l3_target_bps, self.l3_minimum_bps, self.l3_maximum_bps),
        }
        return PlanPolicy(
            targets={tier: Bps(target) for tier, (target, _, _) in tiers.items()},
            bands={tier: Band(Bps(minimum), Bps(maximum)) for tier, (_, minimum, maximum) in tiers.items()},
            landing=Bps(self.landing_bps),
            deviation_cost_per_day=Bps(self.deviation_cost_per_day_bps),
            asset_cap=Bps(self.asset_cap_bps),
            top3_cap=Bps(self.top3_cap_bps),
            counterparty_cap=Bps(self.counterparty_cap_bps),
            slippage_warning=Bps(self.slippage_warning_bps),
            slippage_max=Bps(self.slippage_max_bps),
            gas_per_trade=RawAmount(int(self.gas_per_trade * WAD)),
            smallest_plan=RawAmount(int(self.smallest_plan * WAD)),
        )
