"""The risk score from 0 to 100, with what each group contributes to it. It orders states; the level comes from the level table.

A group's distance is that of its worst indicator: 0 at the edge of normal, 1 at the edge of critical, 1.5 at most. The score
is the weighted mean of the distances, scaled so that 100 is 1.5 in every group. A group without a measured threshold has no
weight.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Final

from paimon.domain.risk.indicators import INFINITE, Measurement
from paimon.domain.risk.risk_policy import DEFINITIONS, Bad, IndicatorGroup, IndicatorName, RiskPolicy, Threshold

_DISTANCE_MAX: Final = Decimal("1.5")
_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one group adds to the score, and the indicator that decides it."""

    group: IndicatorGroup
    points: Decimal
    distance: Decimal
    indicator: IndicatorName


@dataclass(frozen=True, slots=True)
class Score:
    """The sum of the contributions, from 0 to 100."""

    contributions: tuple[Contribution, ...]

    @property
    def value(self) -> Decimal:
        return sum((contribution.points for contribution in self.contributions), Decimal(0))


def score(measurements: Iterable[Measurement], policy: RiskPolicy) -> Score:
    """Score the measurements; those without a value or a threshold add nothing."""
    worst: dict[IndicatorGroup, tuple[Decimal, IndicatorName]] = {}
    for measured in measurements:
        threshold = policy.thresholds.get(measured.name)
        if measured.value is None or threshold is None:
            continue
        definition = DEFINITIONS[measured.name]
        found = distance(measured.value, threshold, definition.bad)
        if definition.group not in worst or found > worst[definition.group][0]:
            worst[definition.group] = (found, measured.name)
    weight_sum = sum(policy.weights[group] for group in worst)
    return Score(
        tuple(
            Contribution(group, _points(found, policy.weights[group], weight_sum), found, name)
            for group, (found, name) in worst.items()
        )
    )


def distance(value: Decimal, threshold: Threshold, bad: Bad) -> Decimal:
    """Return how far a value is from normal towards critical, rounded to 2 decimals, between 0 and 1.5."""
    if value in (INFINITE, -INFINITE):
        return _DISTANCE_MAX if (value > 0) is (bad is Bad.HIGH) else Decimal(0)
    beyond = (threshold.normal - value) if bad is Bad.LOW else (value - threshold.normal)
    span = abs(threshold.critical - threshold.normal)
    return min(max(beyond / span, Decimal(0)), _DISTANCE_MAX).quantize(_CENT, ROUND_HALF_UP)


def _points(found: Decimal, weight: int, weight_sum: int) -> Decimal:
    if weight_sum == 0:
        return Decimal(0)
    return (100 * weight * found / (_DISTANCE_MAX * weight_sum)).quantize(_CENT, ROUND_DOWN)
