"""Settings of the fund's risk: thresholds of indicators, limits of the levels, and defaults of the tiers."""

from datetime import timedelta
from decimal import Decimal
from typing import Self

from pydantic import Field, model_validator

from paimon.domain.asset.profile import Liquidity
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import Bps
from paimon.domain.risk.risk_policy import (
    DEFAULT_LIQUIDITY,
    DEFAULT_THRESHOLDS,
    DEFINITIONS,
    Bad,
    IndicatorName,
    LevelCondition,
    RiskLevel,
    RiskPolicy,
    Threshold,
)
from paimon.settings.base import SettingsGroup


class ThresholdSettings(SettingsGroup):
    """Edges of one indicator, as ratios: 0.10 is 10 %."""

    normal: Decimal = Field(ge=0, description="where the normal values end")
    critical: Decimal = Field(ge=0, description="where the critical values begin")


class LiquiditySettings(SettingsGroup):
    """How an asset of a tier becomes cash while it has no profile of its own."""

    days_to_cash: int = Field(ge=0, description="calendar days until it is cash")
    cost_bps: int = Field(ge=0, le=10_000, description="basis points of its value that this costs")


class LevelLimitSettings(SettingsGroup):
    """Limits of the level table. A level is indicated while one of its figures is beyond its limit."""

    elevated_l1_ratio: Decimal = Field(Decimal("0.10"), ge=0, description="ELEVATED below this ratio of L1")
    elevated_daily_redemption_rate: Decimal = Field(Decimal("0.03"), ge=0, description="ELEVATED above this rate")
    elevated_nav_volatility_24h: Decimal = Field(Decimal("0.03"), ge=0, description="ELEVATED above this volatility")
    high_l1_ratio: Decimal = Field(Decimal("0.08"), ge=0, description="HIGH below this ratio of L1")
    high_coverage: Decimal = Field(Decimal("1.2"), ge=0, description="HIGH below this coverage of redemptions")
    high_stressed_coverage: Decimal = Field(
        Decimal(1), ge=0, description="HIGH below this coverage of what is due within 7 days and of the stressed outflow"
    )
    high_daily_redemption_rate: Decimal = Field(Decimal("0.05"), ge=0, description="HIGH above this rate")
    critical_coverage: Decimal = Field(Decimal(1), ge=0, description="CRITICAL below this coverage of redemptions")
    critical_l1_l2_ratio: Decimal = Field(Decimal("0.25"), ge=0, description="CRITICAL below this ratio of L1 and L2")
    critical_failed_in_a_row: Decimal = Field(
        Decimal(2), ge=0, description="CRITICAL above this number of failed transactions in a row"
    )


def _threshold(name: IndicatorName, description: str) -> ThresholdSettings:
    default = DEFAULT_THRESHOLDS[name]
    field: ThresholdSettings = Field(
        ThresholdSettings(normal=default.normal, critical=default.critical), description=f"edges of {description}"
    )
    return field


def _liquidity(tier: Tier) -> LiquiditySettings:
    default = DEFAULT_LIQUIDITY[tier]
    field: LiquiditySettings = Field(
        LiquiditySettings(days_to_cash=default.days_to_cash, cost_bps=default.cost),
        description=f"an asset of {tier} without a profile",
    )
    return field


class RiskSettings(SettingsGroup):
    """The fund's risk policy. Source of the defaults: docs/concepts/risk.md."""

    l1_ratio: ThresholdSettings = _threshold(IndicatorName.L1_RATIO, "L1 ÷ gross assets")
    l1_l2_ratio: ThresholdSettings = _threshold(IndicatorName.L1_L2_RATIO, "(L1 + L2) ÷ gross assets")
    redemption_coverage: ThresholdSettings = _threshold(
        IndicatorName.REDEMPTION_COVERAGE, "(L1 + L2) ÷ redemption liability of any date"
    )
    rcr_1d: ThresholdSettings = _threshold(IndicatorName.RCR_1D, "the coverage of what is due within a day")
    rcr_7d: ThresholdSettings = _threshold(IndicatorName.RCR_7D, "the coverage of what is due within 7 days")
    liquidity_gap_7d: ThresholdSettings = _threshold(
        IndicatorName.LIQUIDITY_GAP_7D, "what is due and expected within 7 days beyond what can be cash ÷ net assets"
    )
    nav_volatility_24h: ThresholdSettings = _threshold(IndicatorName.NAV_VOLATILITY_24H, "the range of NAV in 24 hours")
    asset_price_deviation: ThresholdSettings = _threshold(
        IndicatorName.ASSET_PRICE_DEVIATION, "the contracts' price compared with that of other sources"
    )
    oracle_staleness: ThresholdSettings = _threshold(IndicatorName.ORACLE_STALENESS, "the number of missed publications")
    single_asset_concentration: ThresholdSettings = _threshold(
        IndicatorName.SINGLE_ASSET_CONCENTRATION, "the largest asset ÷ gross assets"
    )
    top3_concentration: ThresholdSettings = _threshold(
        IndicatorName.TOP3_CONCENTRATION, "the three largest assets ÷ gross assets"
    )
    counterparty_concentration: ThresholdSettings = _threshold(
        IndicatorName.COUNTERPARTY_CONCENTRATION, "the largest counterparty ÷ gross assets"
    )
    daily_redemption_rate: ThresholdSettings = _threshold(
        IndicatorName.DAILY_REDEMPTION_RATE, "what is requested in a day ÷ net assets"
    )
    pending_approval_ratio: ThresholdSettings = _threshold(
        IndicatorName.PENDING_APPROVAL_RATIO, "what awaits approval ÷ (L1 + L2)"
    )
    redemption_velocity: ThresholdSettings = _threshold(
        IndicatorName.REDEMPTION_VELOCITY, "what is requested in 7 days ÷ in the 7 days before"
    )
    failed_in_a_row: ThresholdSettings = _threshold(IndicatorName.FAILED_IN_A_ROW, "the number of failed transactions in a row")
    levels: LevelLimitSettings = Field(LevelLimitSettings(), description="limits of the level table")
    coverage_by_due_dates: bool = Field(
        True, description="levels use the coverage of what is due within 7 days; false: of all redemption liability"
    )
    settling_seconds: int = Field(900, ge=0, description="seconds that lower levels must be indicated before a level is left")
    l1: LiquiditySettings = _liquidity(Tier.L1)
    l2: LiquiditySettings = _liquidity(Tier.L2)
    l3: LiquiditySettings = _liquidity(Tier.L3)
    history_points_max: int = Field(2_500, ge=1, description="points of one indicator's history; 90 days of hours are 2 160")

    @model_validator(mode="after")
    def _edges_are_in_order(self) -> Self:
        for name, threshold in self._thresholds().items():
            bad = DEFINITIONS[name].bad
            if not threshold.fits(bad):
                word = "below" if bad is Bad.LOW else "above"
                raise ValueError(f"{name.upper()}__CRITICAL must be {word} {name.upper()}__NORMAL: {bad} values are bad")
        return self

    def _thresholds(self) -> dict[IndicatorName, Threshold]:
        groups: dict[IndicatorName, ThresholdSettings] = {name: getattr(self, name) for name in DEFAULT_THRESHOLDS}
        return {name: Threshold(group.normal, group.critical) for name, group in groups.items()}

    def policy(self) -> RiskPolicy:
        """Build the policy that assessments are made by."""
        groups = {Tier.L1: self.l1, Tier.L2: self.l2, Tier.L3: self.l3}
        return RiskPolicy(
            thresholds=self._thresholds(),
            conditions=self._conditions(),
            tier_liquidity={tier: Liquidity(group.days_to_cash, Bps(group.cost_bps)) for tier, group in groups.items()},
            settling=timedelta(seconds=self.settling_seconds),
        )

    def _conditions(self) -> tuple[LevelCondition, ...]:
        limits = self.levels
        coverage = IndicatorName.RCR_7D if self.coverage_by_due_dates else IndicatorName.REDEMPTION_COVERAGE
        return (
            LevelCondition(RiskLevel.ELEVATED, IndicatorName.L1_RATIO, limits.elevated_l1_ratio),
            LevelCondition(RiskLevel.ELEVATED, IndicatorName.DAILY_REDEMPTION_RATE, limits.elevated_daily_redemption_rate),
            LevelCondition(RiskLevel.ELEVATED, IndicatorName.NAV_VOLATILITY_24H, limits.elevated_nav_volatility_24h),
            LevelCondition(RiskLevel.HIGH, IndicatorName.L1_RATIO, limits.high_l1_ratio),
            LevelCondition(RiskLevel.HIGH, coverage, limits.high_coverage),
            LevelCondition(RiskLevel.HIGH, IndicatorName.RCR_7D_STRESSED, limits.high_stressed_coverage),
            LevelCondition(RiskLevel.HIGH, IndicatorName.DAILY_REDEMPTION_RATE, limits.high_daily_redemption_rate),
            LevelCondition(RiskLevel.CRITICAL, coverage, limits.critical_coverage),
            LevelCondition(RiskLevel.CRITICAL, IndicatorName.L1_L2_RATIO, limits.critical_l1_l2_ratio),
            LevelCondition(RiskLevel.CRITICAL, IndicatorName.FAILED_IN_A_ROW, limits.critical_failed_in_a_row),
        )
