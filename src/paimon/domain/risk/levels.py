"""The fund's risk level: indicated by the level table, entered when it is confirmed, left when it has settled.

    indicated   the highest level of which one condition holds at an assessment
    entered     CRITICAL at once; HIGH and ELEVATED when two assessments in a row indicate at least that level
    left        when every assessment of the settling time indicated a lower level; the highest of those is the new level

An assessment is dated by its block. One at the same block, or at an earlier one, changes nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from paimon.domain.risk.indicators import Measurement
from paimon.domain.risk.risk_policy import LevelCondition, RiskLevel, RiskPolicy

CHECK_EVERY: Final = timedelta(minutes=1)
CHECK_EVERY_AT_NORMAL: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class LevelState:
    """The level since a time, with what the next assessment needs to know of the ones before.

    `lower_since` is when the assessments began to indicate a lower level, and `lower_highest` the highest that they indicated.
    """

    level: RiskLevel
    since: datetime
    assessed_at: datetime
    indicated: RiskLevel
    lower_since: datetime | None = None
    lower_highest: RiskLevel = RiskLevel.NORMAL


@dataclass(frozen=True, slots=True)
class HeldCondition:
    """A condition of the level table that holds, with the indicator's measurement."""

    condition: LevelCondition
    measurement: Measurement


def held_conditions(measurements: Iterable[Measurement], policy: RiskPolicy) -> tuple[HeldCondition, ...]:
    """Return the conditions that hold, highest level first. What is not measured holds none."""
    measured = {measurement.name: measurement for measurement in measurements}
    held = (
        HeldCondition(condition, measurement)
        for condition in policy.conditions
        if (measurement := measured.get(condition.indicator)) is not None
        and measurement.value is not None
        and condition.holds(measurement.value)
    )
    return tuple(sorted(held, key=lambda found: -found.condition.level.number))


def indicated_level(held: Iterable[HeldCondition]) -> RiskLevel:
    """Return the highest level of which a condition holds; NORMAL without one."""
    return max((found.condition.level for found in held), key=_rank, default=RiskLevel.NORMAL)


def first_state(indicated: RiskLevel, *, at: datetime) -> LevelState:
    """Return the state after the first assessment ever."""
    level = indicated if indicated is RiskLevel.CRITICAL else RiskLevel.NORMAL
    return LevelState(level, at, at, indicated)


def next_state(state: LevelState, indicated: RiskLevel, *, at: datetime, settling: timedelta) -> LevelState:
    """Return the state after one more assessment."""
    if at <= state.assessed_at:
        return state
    confirmed = indicated if indicated is RiskLevel.CRITICAL else min(indicated, state.indicated, key=_rank)
    if _rank(confirmed) > _rank(state.level):
        return LevelState(confirmed, at, at, indicated)
    if _rank(indicated) >= _rank(state.level):
        return LevelState(state.level, state.since, at, indicated)
    lower_since = state.lower_since or at
    lower_highest = indicated if state.lower_since is None else max(indicated, state.lower_highest, key=_rank)
    if at - lower_since >= settling:
        return LevelState(lower_highest, at, at, indicated)
    return replace(state, assessed_at=at, indicated=indicated, lower_since=lower_since, lower_highest=lower_highest)


def check_interval(state: LevelState) -> timedelta:
    """Return the time until the next scheduled assessment: shorter while the level is, or may become, above NORMAL."""
    is_calm = state.level is RiskLevel.NORMAL and state.indicated is RiskLevel.NORMAL
    return CHECK_EVERY_AT_NORMAL if is_calm else CHECK_EVERY


def _rank(level: RiskLevel) -> int:
    return level.number
