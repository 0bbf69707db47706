"""The risk policy: thresholds of the indicators, conditions of the levels, and defaults of the tiers.

Source of the defaults: docs/concepts/risk.md. The version of a policy is a digest of its content, so that a changed threshold
cannot keep its version.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, Self

from paimon.domain.asset.profile import Liquidity
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import Bps


class IndicatorName(StrEnum):
    """A risk indicator; the comments give its formula."""

    L1_RATIO = "l1_ratio"  # L1 ÷ gross assets
    L1_L2_RATIO = "l1_l2_ratio"  # (L1 + L2) ÷ gross assets
    REDEMPTION_COVERAGE = "redemption_coverage"  # (L1 + L2) ÷ redemption liability of any date
    RCR_1D = "rcr_1d"  # what can be cash within the days ÷ what is confirmed and due within them
    RCR_7D = "rcr_7d"
    RCR_30D = "rcr_30d"
    RCR_90D = "rcr_90d"
    RCR_7D_STRESSED = "rcr_7d_stressed"  # as rcr_7d, with the stressed outflow of 7 days beside what is due
    LIQUIDITY_GAP_7D = "liquidity_gap_7d"  # (what is due and expected in 7 days − what can be cash) ÷ net assets
    NAV_VOLATILITY_24H = "nav_volatility_24h"  # (highest − lowest) ÷ mean of official hourly NAV
    ASSET_PRICE_DEVIATION = "asset_price_deviation"  # |chain − other source| ÷ other source
    ORACLE_STALENESS = "oracle_staleness"  # missed publications
    SINGLE_ASSET_CONCENTRATION = "single_asset_concentration"  # largest asset ÷ gross assets
    TOP3_CONCENTRATION = "top3_concentration"  # three largest assets ÷ gross assets
    COUNTERPARTY_CONCENTRATION = "counterparty_concentration"  # largest counterparty ÷ gross assets
    DAILY_REDEMPTION_RATE = "daily_redemption_rate"  # requested in the UTC day or in 24 h ÷ net assets at its start
    PENDING_APPROVAL_RATIO = "pending_approval_ratio"  # requests that await approval ÷ (L1 + L2)
    REDEMPTION_VELOCITY = "redemption_velocity"  # requested in 7 days ÷ in the 7 days before
    TX_FAILURE_RATE = "tx_failure_rate"  # failed ÷ ended transactions of 24 h
    FAILED_IN_A_ROW = "failed_in_a_row"  # the last transactions, while each failed
    REBALANCE_DELAY = "rebalance_delay"  # time since a trigger fired without a plan
    SYSTEM_HEALTH = "system_health"  # 0 all checks pass, 1 degraded, 2 down


class IndicatorGroup(StrEnum):
    """Group of indicators, with one weight in the score."""

    LIQUIDITY = "liquidity"
    PRICE = "price"
    CONCENTRATION = "concentration"
    REDEMPTION = "redemption"
    OPERATIONAL = "operational"


class Bad(StrEnum):
    """The side on which an indicator's values are bad."""

    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Definition:
    """An indicator's group, and the side of its bad values."""

    group: IndicatorGroup
    bad: Bad


_LIQUIDITY_LOW: Final = Definition(IndicatorGroup.LIQUIDITY, Bad.LOW)
_CONCENTRATION: Final = Definition(IndicatorGroup.CONCENTRATION, Bad.HIGH)
_PRICE: Final = Definition(IndicatorGroup.PRICE, Bad.HIGH)
_REDEMPTION: Final = Definition(IndicatorGroup.REDEMPTION, Bad.HIGH)
_OPERATIONAL: Final = Definition(IndicatorGroup.OPERATIONAL, Bad.HIGH)

DEFINITIONS: Final[Mapping[IndicatorName, Definition]] = {
    IndicatorName.L1_RATIO: _LIQUIDITY_LOW,
    IndicatorName.L1_L2_RATIO: _LIQUIDITY_LOW,
    IndicatorName.REDEMPTION_COVERAGE: _LIQUIDITY_LOW,
    IndicatorName.RCR_1D: _LIQUIDITY_LOW,
    IndicatorName.RCR_7D: _LIQUIDITY_LOW,
    IndicatorName.RCR_30D: _LIQUIDITY_LOW,
    IndicatorName.RCR_90D: _LIQUIDITY_LOW,
    IndicatorName.RCR_7D_STRESSED: _LIQUIDITY_LOW,
    IndicatorName.LIQUIDITY_GAP_7D: Definition(IndicatorGroup.LIQUIDITY, Bad.HIGH),
    IndicatorName.NAV_VOLATILITY_24H: _PRICE,
    IndicatorName.ASSET_PRICE_DEVIATION: _PRICE,
    IndicatorName.ORACLE_STALENESS: _PRICE,
    IndicatorName.SINGLE_ASSET_CONCENTRATION: _CONCENTRATION,
    IndicatorName.TOP3_CONCENTRATION: _CONCENTRATION,
    IndicatorName.COUNTERPARTY_CONCENTRATION: _CONCENTRATION,
    IndicatorName.DAILY_REDEMPTION_RATE: _REDEMPTION,
    IndicatorName.PENDING_APPROVAL_RATIO: _REDEMPTION,
    IndicatorName.REDEMPTION_VELOCITY: _REDEMPTION,
    IndicatorName.TX_FAILURE_RATE: _OPERATIONAL,
    IndicatorName.FAILED_IN_A_ROW: _OPERATIONAL,
    IndicatorName.REBALANCE_DELAY: _OPERATIONAL,
    IndicatorName.SYSTEM_HEALTH: _OPERATIONAL,
}


class IndicatorStatus(StrEnum):
    """Status of one indicator; an indicator without a threshold is NORMAL at any value."""

    NOT_MEASURED = "NOT_MEASURED"
    NORMAL = "NORMAL"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


@dataclass(frozen=True, slots=True)
class Threshold:
    """The edges of an indicator's normal and of its critical values.

    bad values are low     NORMAL at and above `normal`, CRITICAL below `critical`
    bad values are high    NORMAL below `normal`, CRITICAL above `critical`
    """

    normal: Decimal
    critical: Decimal

    def status(self, value: Decimal, bad: Bad) -> IndicatorStatus:
        """Return the status of a value; infinity is a value too."""
        is_critical = value < self.critical if bad is Bad.LOW else value > self.critical
        is_normal = value >= self.normal if bad is Bad.LOW else value < self.normal
        if is_critical:
            return IndicatorStatus.CRITICAL
        return IndicatorStatus.NORMAL if is_normal else IndicatorStatus.WARNING

    def fits(self, bad: Bad) -> bool:
        """Report whether the critical edge is on the bad side of the normal one."""
        return self.critical < self.normal if bad is Bad.LOW else self.critical > self.normal


class RiskLevel(StrEnum):
    """Level of the whole fund: NORMAL < ELEVATED < HIGH < CRITICAL."""

    NORMAL = "NORMAL"
    ELEVATED = "ELEVATED"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"

    @property
    def number(self) -> int:
        """Return the level as a number from 1 to 4."""
        return tuple(RiskLevel).index(self) + 1


@dataclass(frozen=True, slots=True)
class LevelCondition:
    """One line of the level table: the level is indicated while the indicator is beyond the limit, on its bad side."""

    level: RiskLevel
    indicator: IndicatorName
    limit: Decimal

    def holds(self, value: Decimal) -> bool:
        is_low_bad = DEFINITIONS[self.indicator].bad is Bad.LOW
        return value < self.limit if is_low_bad else value > self.limit


DEFAULT_THRESHOLDS: Final[Mapping[IndicatorName, Threshold]] = {
    IndicatorName.L1_RATIO: Threshold(Decimal("0.10"), Decimal("0.08")),
    IndicatorName.L1_L2_RATIO: Threshold(Decimal("0.40"), Decimal("0.35")),
    IndicatorName.REDEMPTION_COVERAGE: Threshold(Decimal("1.5"), Decimal("1")),
    IndicatorName.RCR_1D: Threshold(Decimal("1.2"), Decimal("1")),
    IndicatorName.RCR_7D: Threshold(Decimal("1.2"), Decimal("1")),
    IndicatorName.LIQUIDITY_GAP_7D: Threshold(Decimal("0.000001"), Decimal("0.10")),
    IndicatorName.NAV_VOLATILITY_24H: Threshold(Decimal("0.03"), Decimal("0.05")),
    IndicatorName.ASSET_PRICE_DEVIATION: Threshold(Decimal("0.02"), Decimal("0.03")),
    IndicatorName.ORACLE_STALENESS: Threshold(Decimal(1), Decimal("1.5")),
    IndicatorName.SINGLE_ASSET_CONCENTRATION: Threshold(Decimal("0.20"), Decimal("0.25")),
    IndicatorName.TOP3_CONCENTRATION: Threshold(Decimal("0.50"), Decimal("0.60")),
    IndicatorName.COUNTERPARTY_CONCENTRATION: Threshold(Decimal("0.30"), Decimal("0.40")),
    IndicatorName.DAILY_REDEMPTION_RATE: Threshold(Decimal("0.03"), Decimal("0.05")),
    IndicatorName.PENDING_APPROVAL_RATIO: Threshold(Decimal("0.20"), Decimal("0.30")),
    IndicatorName.REDEMPTION_VELOCITY: Threshold(Decimal("1.5"), Decimal("2")),
    IndicatorName.FAILED_IN_A_ROW: Threshold(Decimal(2), Decimal("2.5")),
}
"""Thresholds by indicator; the others are shown without one.

A gap below a millionth of net assets is none. Two failed transactions in a row warn, three are critical. One missed
publication of a price warns, two are critical.
"""

DEFAULT_CONDITIONS: Final = (
    LevelCondition(RiskLevel.ELEVATED, IndicatorName.L1_RATIO, Decimal("0.10")),
    LevelCondition(RiskLevel.ELEVATED, IndicatorName.DAILY_REDEMPTION_RATE, Decimal("0.03")),
    LevelCondition(RiskLevel.ELEVATED, IndicatorName.NAV_VOLATILITY_24H, Decimal("0.03")),
    LevelCondition(RiskLevel.HIGH, IndicatorName.L1_RATIO, Decimal("0.08")),
    LevelCondition(RiskLevel.HIGH, IndicatorName.RCR_7D, Decimal("1.2")),
    LevelCondition(RiskLevel.HIGH, IndicatorName.RCR_7D_STRESSED, Decimal(1)),
    LevelCondition(RiskLevel.HIGH, IndicatorName.DAILY_REDEMPTION_RATE, Decimal("0.05")),
    LevelCondition(RiskLevel.CRITICAL, IndicatorName.RCR_7D, Decimal(1)),
    LevelCondition(RiskLevel.CRITICAL, IndicatorName.L1_L2_RATIO, Decimal("0.25")),
    LevelCondition(RiskLevel.CRITICAL, IndicatorName.FAILED_IN_A_ROW, Decimal(2)),
)

DEFAULT_LIQUIDITY: Final[Mapping[Tier, Liquidity]] = {
    Tier.L1: Liquidity(0, Bps(0)),
    Tier.L2: Liquidity(5, Bps(10)),
    Tier.L3: Liquidity(60, Bps(200)),
}
"""Days to cash and cost of an asset without a profile, by its tier; three business days are at most five calendar days."""

DEFAULT_WEIGHTS: Final[Mapping[IndicatorGroup, int]] = {
    IndicatorGroup.LIQUIDITY: 40,
    IndicatorGroup.PRICE: 20,
    IndicatorGroup.CONCENTRATION: 15,
    IndicatorGroup.REDEMPTION: 15,
    IndicatorGroup.OPERATIONAL: 10,
}


@dataclass(frozen=True, slots=True)
class RiskPolicy:
    """Everything that turns a state into statuses, a score and a level."""

    thresholds: Mapping[IndicatorName, Threshold] = field(default_factory=lambda: DEFAULT_THRESHOLDS)
    conditions: tuple[LevelCondition, ...] = DEFAULT_CONDITIONS
    tier_liquidity: Mapping[Tier, Liquidity] = field(default_factory=lambda: DEFAULT_LIQUIDITY)
    weights: Mapping[IndicatorGroup, int] = field(default_factory=lambda: DEFAULT_WEIGHTS)
    settling: timedelta = timedelta(minutes=15)

    @property
    def document(self) -> dict[str, Any]:
        """Return the content as JSON values, numbers as text."""
        return {
            "thresholds": {
                name: {"normal": plain_text(edge.normal), "critical": plain_text(edge.critical)}
                for name, edge in sorted(self.thresholds.items())
            },
            "conditions": sorted([row.level, row.indicator, plain_text(row.limit)] for row in self.conditions),
            "tierLiquidity": {
                tier: {"daysToCash": default.days_to_cash, "costBps": default.cost}
                for tier, default in sorted(self.tier_liquidity.items())
            },
            "weights": dict(sorted(self.weights.items())),
            "settlingSeconds": int(self.settling.total_seconds()),
        }

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """Build the policy of a document, as `document` makes it."""
        return cls(
            thresholds={
                IndicatorName(name): Threshold(Decimal(edges["normal"]), Decimal(edges["critical"]))
                for name, edges in document["thresholds"].items()
            },
            conditions=tuple(
                LevelCondition(RiskLevel(level), IndicatorName(indicator), Decimal(limit))
                for level, indicator, limit in document["conditions"]
            ),
            tier_liquidity={
                Tier(tier): Liquidity(default["daysToCash"], Bps(default["costBps"]))
                for tier, default in document["tierLiquidity"].items()
            },
            weights={IndicatorGroup(group): weight for group, weight in document["weights"].items()},
            settling=timedelta(seconds=document["settlingSeconds"]),
        )

    @property
    def version(self) -> str:
        """Return the first 12 hex digits of the content's SHA-256: equal content has equal versions, `0.1` and `0.10` too."""
        return sha256(json.dumps(self.document, sort_keys=True).encode()).hexdigest()[:12]


def plain_text(number: Decimal) -> str:
    """Format a number without exponent and without trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
