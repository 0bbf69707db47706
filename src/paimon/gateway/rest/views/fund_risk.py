"""JSON shapes of the fund's risk: its status, an indicator's history, and the dry run of thresholds."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, PlainSerializer, WithJsonSchema

from paimon.application.fund_risk.history import DryRun, HistoryInterval, HistoryPoint, RiskStatus
from paimon.domain.risk.dry_run import Breach
from paimon.domain.risk.indicators import Measurement
from paimon.domain.risk.levels import HeldCondition
from paimon.domain.risk.risk_policy import (
    DEFINITIONS,
    Bad,
    IndicatorGroup,
    IndicatorName,
    IndicatorStatus,
    RiskLevel,
    RiskPolicy,
    Threshold,
    plain_text,
)
from paimon.domain.risk.score import Contribution
from paimon.gateway.rest.schema import ApiModel, Time

Number = Annotated[
    Decimal,
    Field(allow_inf_nan=True),
    PlainSerializer(plain_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?|Infinity)$"}),
]
"""A decimal number as text: 0.1 is 10 %. `Infinity` compares something with nothing."""


class ThresholdView(ApiModel):
    """The edges of an indicator. Normal is at or above `normal` where low values are bad, below it where high ones are."""

    normal: Number
    critical: Number
    bad: Bad = Field(description="the side of the bad values")

    @classmethod
    def of(cls, threshold: Threshold, bad: Bad) -> Self:
        return cls(normal=threshold.normal, critical=threshold.critical, bad=bad)


class IndicatorView(ApiModel):
    name: IndicatorName
    value: Number | None = Field(description="null while it is not measured")
    threshold: ThresholdView | None = Field(description="null for an indicator that is shown only")
    status: IndicatorStatus
    note: str | None = Field(description="why it is not measured, or which defaults the value rests on")

    @classmethod
    def of(cls, measured: Measurement, policy: RiskPolicy) -> Self:
        threshold = policy.thresholds.get(measured.name)
        bad = DEFINITIONS[measured.name].bad
        return cls(
            name=measured.name,
            value=measured.value,
            threshold=None if threshold is None else ThresholdView.of(threshold, bad),
            status=measured.status,
            note=measured.note,
        )


class IndicatorGroupView(ApiModel):
    """The indicators of one group, with the worst of their statuses."""

    status: IndicatorStatus
    indicators: list[IndicatorView]

    @classmethod
    def of(cls, status: RiskStatus, group: IndicatorGroup) -> Self:
        measured = [found for found in status.assessment.measurements if DEFINITIONS[found.name].group is group]
        worst = max((found.status for found in measured), key=tuple(IndicatorStatus).index)
        return cls(status=worst, indicators=[IndicatorView.of(found, status.policy) for found in measured])


class IndicatorGroupsView(ApiModel):
    liquidity: IndicatorGroupView
    price: IndicatorGroupView
    concentration: IndicatorGroupView
    redemption: IndicatorGroupView
    operational: IndicatorGroupView


class HeldConditionView(ApiModel):
    """A condition of the level table that holds now."""

    level: RiskLevel
    indicator: IndicatorName
    value: Number
    limit: Number

    @classmethod
    def of(cls, held: HeldCondition) -> Self:
        value = held.measurement.value
        return cls(
            level=held.condition.level,
            indicator=held.condition.indicator,
            value=Decimal(0) if value is None else value,
            limit=held.condition.limit,
        )


class ContributionView(ApiModel):
    """What one group adds to the score."""

    group: IndicatorGroup
    points: Number
    distance: Number = Field(description="of its worst indicator: 0 at the edge of normal, 1 at critical, 1.5 at most")
    indicator: IndicatorName = Field(description="the worst one")

    @classmethod
    def of(cls, contribution: Contribution) -> Self:
        return cls(
            group=contribution.group,
            points=contribution.points,
            distance=contribution.distance,
            indicator=contribution.indicator,
        )


class RiskStatusView(ApiModel):
    """The last assessment of the fund's risk."""

    overall_level: RiskLevel
    overall_score: Number = Field(description="0 to 100; it orders states, the level decides")
    level_since: Time
    indicated_level: RiskLevel = Field(description="by this assessment alone; the level follows when confirmed or settled")
    lower_since: Time | None = Field(description="since when lower levels are indicated; the settling time counts from here")
    conditions: list[HeldConditionView] = Field(description="those that hold now, highest level first")
    indicators: IndicatorGroupsView
    contributions: list[ContributionView]
    policy_version: str
    block_number: int
    block_time: Time
    last_updated: Time

    @classmethod
    def of(cls, status: RiskStatus) -> Self:
        assessment, level = status.assessment, status.assessment.level
        groups = {group.value: IndicatorGroupView.of(status, group) for group in IndicatorGroup}
        return cls(
            overall_level=level.level,
            overall_score=assessment.score.value,
            level_since=level.since,
            indicated_level=level.indicated,
            lower_since=level.lower_since,
            conditions=[HeldConditionView.of(held) for held in status.held],
            indicators=IndicatorGroupsView(**groups),
            contributions=[ContributionView.of(contribution) for contribution in assessment.score.contributions],
            policy_version=assessment.policy_version,
            block_number=assessment.block_number,
            block_time=level.assessed_at,
            last_updated=assessment.assessed_at,
        )


class IndicatorPointView(ApiModel):
    """The values of one hour or day; of one assessment, its value in each field."""

    time: Time
    samples: int
    minimum: Number
    maximum: Number
    mean: Number
    last: Number

    @classmethod
    def of(cls, point: HistoryPoint) -> Self:
        return cls(
            time=point.time,
            samples=point.samples,
            minimum=point.minimum,
            maximum=point.maximum,
            mean=point.mean if point.mean.is_infinite() else round(point.mean, 12),
            last=point.last,
        )


class IndicatorHistoryView(ApiModel):
    name: str
    interval: HistoryInterval
    points: list[IndicatorPointView]

    @classmethod
    def of(cls, name: str, interval: HistoryInterval, points: list[HistoryPoint]) -> Self:
        return cls(name=name, interval=interval, points=[IndicatorPointView.of(point) for point in points])


class ProposedThreshold(ApiModel):
    """A threshold to try."""

    indicator: IndicatorName
    normal: Decimal = Field(ge=0, max_digits=30)
    critical: Decimal = Field(ge=0, max_digits=30)


class DryRunBody(ApiModel):
    """Thresholds to try on what is recorded. Those that are not named stay as they are."""

    thresholds: list[ProposedThreshold] = Field(max_length=len(IndicatorName))
    days: int = Field(90, ge=1, le=3_650, description="how far back")


class BreachView(ApiModel):
    start: Time
    end: Time
    status: IndicatorStatus
    worst: Number

    @classmethod
    def of(cls, breach: Breach) -> Self:
        return cls(start=breach.start, end=breach.end, status=breach.status, worst=breach.worst)


class DryRunResultView(ApiModel):
    """What both thresholds of one indicator find in the recorded hours."""

    name: IndicatorName
    hours: int = Field(description="recorded hours that were looked at")
    present: ThresholdView
    proposed: ThresholdView
    present_breaches: list[BreachView]
    proposed_breaches: list[BreachView]

    @classmethod
    def of(cls, run: DryRun) -> Self:
        bad = DEFINITIONS[run.name].bad
        return cls(
            name=run.name,
            hours=run.hours,
            present=ThresholdView.of(run.present, bad),
            proposed=ThresholdView.of(run.proposed, bad),
            present_breaches=[BreachView.of(breach) for breach in run.breaches_present],
            proposed_breaches=[BreachView.of(breach) for breach in run.breaches_proposed],
        )


class DryRunView(ApiModel):
    since: Time
    indicators: list[DryRunResultView]

    @classmethod
    def of(cls, runs: list[DryRun], since: datetime) -> Self:
        return cls(since=since, indicators=[DryRunResultView.of(run) for run in runs])
