"""What is recorded of the fund's risk: the present status, an indicator's history, and the dry run of thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from paimon.application.fund_risk.store import (
    SERIES_NAMES,
    StoredAssessment,
    find_assessment,
    find_newest_metric_time,
    get_policy,
    list_hours,
    list_periods,
    list_values,
)
from paimon.domain.risk.dry_run import Breach, find_breaches
from paimon.domain.risk.levels import HeldCondition, held_conditions
from paimon.domain.risk.risk_policy import IndicatorName, RiskPolicy, Threshold
from paimon.errors import InvalidRequest, NotFound
from paimon.infrastructure.database.sessions import ReadSession

DRY_RUN_DAYS: Final = 90


class NotAssessed(NotFound):
    """The fund's risk was not assessed yet: the worker assesses it after the first snapshot."""


class UnknownIndicator(NotFound):
    """There is no such indicator."""


class TooManyValues(InvalidRequest):
    """The range holds more points than one answer carries."""

    field = "interval"


class HistoryInterval(StrEnum):
    """Density of a history: each assessment, or hours or days with their lowest, highest, mean and last value."""

    ASSESSMENT = "assessment"
    HOURLY = "hourly"
    DAILY = "daily"


_DEFAULT_DAYS: Final = {HistoryInterval.ASSESSMENT: 1, HistoryInterval.HOURLY: 30, HistoryInterval.DAILY: 90}
_UNITS: Final = {HistoryInterval.HOURLY: "hour", HistoryInterval.DAILY: "day"}


@dataclass(frozen=True, slots=True)
class RiskStatus:
    """The last assessment, the policy it was made by, and the conditions of the level table that hold."""

    assessment: StoredAssessment
    policy: RiskPolicy
    held: tuple[HeldCondition, ...]


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """The values of one period, or of one assessment, whose five figures are then one value."""

    time: datetime
    samples: int
    minimum: Decimal
    maximum: Decimal
    mean: Decimal
    last: Decimal


@dataclass(frozen=True, slots=True)
class DryRun:
    """The breaches of one indicator by the present threshold and by the proposed one, in the hours that are recorded."""

    name: IndicatorName
    present: Threshold
    proposed: Threshold
    hours: int
    breaches_present: tuple[Breach, ...]
    breaches_proposed: tuple[Breach, ...]


async def read_status(session: ReadSession) -> RiskStatus:
    """Return the last assessment by the policy of its time.

    Raises:
        NotAssessed.
    """
    assessment = await find_assessment(session)
    if assessment is None:
        raise NotAssessed
    policy = await get_policy(session, assessment.policy_version)
    return RiskStatus(assessment, policy, held_conditions(assessment.measurements, policy))


async def read_indicator_history(
    session: ReadSession,
    name: str,
    *,
    first_day: date | None,
    last_day: date | None,
    interval: HistoryInterval,
    points_max: int,
) -> list[HistoryPoint]:
    """Return an indicator's points of UTC days, both included, oldest first; without days, of the newest ones.

    Raises:
        UnknownIndicator: no series has the name.
        TooManyValues: the range has more than `points_max`.
    """
    if name not in SERIES_NAMES:
        raise UnknownIndicator(f"there is no indicator {name[:60]!r}; the indicators are {', '.join(SERIES_NAMES)}")
    end = datetime.combine(last_day, time.max, UTC) if last_day else await find_newest_metric_time(session, name)
    if end is None:
        return []
    start = datetime.combine(first_day, time.min, UTC) if first_day else _before(end, _DEFAULT_DAYS[interval])
    if interval is HistoryInterval.ASSESSMENT:
        values = await list_values(session, name, start=start, end=end, limit=points_max + 1)
        points = [HistoryPoint(at, 1, value, value, value, value) for at, value in values]
    else:
        periods = await list_periods(session, name, unit=_UNITS[interval], start=start, end=end, limit=points_max + 1)
        points = [HistoryPoint(*period) for period in periods]
    if len(points) > points_max:
        raise TooManyValues(
            f"from {start:%Y-%m-%d} on there are more than {points_max} points of {name}; ask for fewer days, or a longer"
            " interval"
        )
    return points


def _before(end: datetime, days: int) -> datetime:
    return max(end, datetime.min.replace(tzinfo=UTC) + timedelta(days=days)) - timedelta(days=days)


async def dry_run(
    session: ReadSession,
    policy: RiskPolicy,
    proposed: Mapping[IndicatorName, Threshold],
    *,
    now: datetime,
    days: int = DRY_RUN_DAYS,
) -> list[DryRun]:
    """Return what the proposed thresholds would have found in the last days, beside the present ones. It changes nothing."""
    since = now - timedelta(days=days)
    runs = []
    for name, threshold in policy.thresholds.items():
        hours = await list_hours(session, name, since=since)
        other = proposed.get(name, threshold)
        found, changed = find_breaches(name, hours, threshold), find_breaches(name, hours, other)
        runs.append(DryRun(name, threshold, other, len(hours), found, changed))
    return runs
