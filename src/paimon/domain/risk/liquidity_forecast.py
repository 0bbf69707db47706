"""The values of a liquidity forecast: flows of one horizon, what they leave, and what that asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from paimon.domain.kernel.units import RawAmount
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity

TAIL_LEVEL: Final = 0.05
"""The chance beyond each end of the interval."""
_LEVEL_MAX: Final = 0.5


class Horizon(StrEnum):
    """How far the forecast looks."""

    ONE_DAY = "1d"
    SEVEN_DAYS = "7d"
    THIRTY_DAYS = "30d"

    @property
    def days(self) -> int:
        return int(self.value[:-1])


class Recommendation(StrEnum):
    """What the chance of a shortage asks for: below 5 % nothing, below 20 %, below 50 %, and above."""

    NONE = "NONE"
    MONITOR = "MONITOR"
    PREPARE_LIQUIDITY = "PREPARE_LIQUIDITY"
    EMERGENCY = "EMERGENCY"


SHORTAGE_CHANCE: Final = 0.20
"""From this chance on, the fund counts as short of cash."""
_RECOMMENDED_BELOW: Final = (
    (0.05, Recommendation.NONE),
    (SHORTAGE_CHANCE, Recommendation.MONITOR),
    (0.50, Recommendation.PREPARE_LIQUIDITY),
)
_SHORTAGE_CHANCES: Final[Mapping[Severity, tuple[float, float]]] = {
    Severity.WARNING: (SHORTAGE_CHANCE, 0.15),
    Severity.CRITICAL: (0.50, 0.45),
}
"""The chance from which on an event is raised to a severity, and that from which on it keeps it."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of the interval's two ends, as chances beyond each; they begin at 5 % and move with hits and misses."""

    lower: float = TAIL_LEVEL
    upper: float = TAIL_LEVEL

    def after(self, *, below: bool, above: bool, step: float) -> "Levels":
        """Return the levels after an outcome: below the interval, above it, or within."""
        return Levels(_moved(self.lower, missed=below, step=step), _moved(self.upper, missed=above, step=step))


def _moved(level: float, *, missed: bool, step: float) -> float:
    return min(max(level + step * (TAIL_LEVEL - missed), 0.0), _LEVEL_MAX)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How forecasts of this history, each made with the days before it, did: how many, and how many the interval held.

    `pinball_95` is the mean pinball loss of the upper end, in units of the asset.
    """

    levels: Levels
    forecasts: int
    within: float | None
    pinball_95: float | None


@dataclass(frozen=True, slots=True)
class FanDay:
    """One coming day, counted from 0: requests so far, and the balance after all that is due, each with its corrected interval.

    `shortfall_chance` is the chance that the balance was below zero on this day or before.
    """

    day: int
    requests_mean: RawAmount
    requests_upper: RawAmount
    balance_mean: int
    balance_lower: int
    balance_upper: int
    shortfall_chance: float


@dataclass(frozen=True, slots=True)
class LiquidityForecast:
    """Flows of one horizon and what they leave. Amounts are raw units of the vault's asset.

    `available` can be cash by the last day, net of cost; `due_outflow` is what open requests are owed by then, those that await
    approval at their earliest date. `stressed_outflow` is what simulated requests exceed in one case of a hundred.
    `shortfall_amount` is the mean of the shortfalls, where there is one, and `suggested_amount` what to free so that the lower
    end of the balance is not below zero. `first_short_day` is the first with a chance of 20 % or more.
    """

    horizon: Horizon
    asset_decimals: int
    layer1_value: RawAmount
    layer2_value: RawAmount
    available: RawAmount
    expected_inflow: RawAmount
    due_outflow: RawAmount
    probable_outflow: RawAmount
    stressed_outflow: RawAmount
    projected_balance: int
    balance_lower: int
    balance_upper: int
    shortfall_chance: float
    shortfall_amount: RawAmount
    recommendation: Recommendation
    suggested_amount: RawAmount
    first_short_day: int | None
    fan: tuple[FanDay, ...]
    history_days: int
    is_calibrated: bool
    calibration: Calibration
    note: str | None
    """Which defaults it rests on."""

    @property
    def expected_outflow(self) -> RawAmount:
        return RawAmount(self.due_outflow + self.probable_outflow)

    @property
    def net_flow(self) -> int:
        return self.expected_inflow - self.expected_outflow


def recommend(chance: float) -> Recommendation:
    """Return what the chance of a shortage asks for."""
    return next((advice for below, advice in _RECOMMENDED_BELOW if chance < below), Recommendation.EMERGENCY)


def shortage_findings(forecast: LiquidityForecast, raised: Severity | None = None) -> list[Finding]:
    """Return the finding that the fund may run short within the horizon; none while the chance is too low.

    `raised` is the severity of an open event. Chances are drawn, and those of two forecasts differ a little: so an event is
    raised from a chance on, and lowered or resolved only well below it. A forecast that is not calibrated warns only: that
    open requests exceed what can be cash is a matter of the risk level.
    """
    severity = _shortage_severity(forecast.shortfall_chance, raised)
    if severity is None:
        return []
    day = len(forecast.fan) - 1 if forecast.first_short_day is None else forecast.first_short_day
    days = forecast.horizon.days
    return [
        Finding(
            RiskKind.LIQUIDITY_SHORTAGE,
            f"liquidity of the coming {days} days",
            f"a chance of {forecast.fan[day].shortfall_chance:.0%} to be short by day {day + 1}, of"
            f" {forecast.shortfall_chance:.0%} by day {days}",
            f"below {SHORTAGE_CHANCE:.0%}",
            severity if forecast.is_calibrated else Severity.WARNING,
        )
    ]


def _shortage_severity(chance: float, raised: Severity | None) -> Severity | None:
    """Return the most severe of the severities whose chance is reached: to raise it, or to keep it."""
    for severity in (Severity.CRITICAL, Severity.WARNING):
        raise_from, keep_from = _SHORTAGE_CHANCES[severity]
        is_raised = raised is severity or raised is Severity.CRITICAL
        if chance >= (keep_from if is_raised else raise_from):
            return severity
    return None
