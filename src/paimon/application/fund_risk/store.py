"""Storage of assessments and forecasts: the last ones, the policies, and the indicators' series with their hours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.risk.assessment import SEVERITY_OF_LEVEL, Assessment
from paimon.domain.risk.dry_run import IndicatorHour
from paimon.domain.risk.fund_risk_state import OutflowEstimate
from paimon.domain.risk.indicators import Measurement
from paimon.domain.risk.levels import LevelState
from paimon.domain.risk.liquidity_forecast import Horizon, LiquidityForecast
from paimon.domain.risk.risk_event import Severity
from paimon.domain.risk.risk_policy import IndicatorGroup, IndicatorName, IndicatorStatus, RiskPolicy
from paimon.domain.risk.score import Contribution, Score
from paimon.infrastructure.database.models.ops.fund_risk import (
    LiquidityForecastRow,
    RiskAssessmentRow,
    RiskMetricHourRow,
    RiskMetricRow,
    RiskPolicyRow,
)
from paimon.infrastructure.database.sessions import WriteSession

OVERALL_SCORE: Final = "overall_score"
OVERALL_LEVEL: Final = "overall_level"
SERIES_NAMES: Final = (*IndicatorName, OVERALL_SCORE, OVERALL_LEVEL)
"""The names in the series: each indicator, the score, and the level as a number from 1 to 4."""

_ID: Final = 1
_STATUS_OF_LEVEL: Final = {
    None: IndicatorStatus.NORMAL,
    Severity.WARNING: IndicatorStatus.WARNING,
    Severity.CRITICAL: IndicatorStatus.CRITICAL,
}


@dataclass(frozen=True, slots=True)
class StoredAssessment:
    """The last assessment as it is stored; `assessed_at` is the database's time."""

    block_number: int
    assessed_at: datetime
    level: LevelState
    score: Score
    measurements: tuple[Measurement, ...]
    policy_version: str


@dataclass(frozen=True, slots=True)
class ForecastReport:
    """A forecast from one block by one policy; `made_at` is the database's time."""

    at: BlockStamp
    made_at: datetime
    policy_version: str
    forecast: LiquidityForecast


async def find_assessment(session: AsyncSession) -> StoredAssessment | None:
    """Return the last assessment; None before the first one."""
    row = await session.get(RiskAssessmentRow, _ID, populate_existing=True)
    return None if row is None else _stored(row)


async def save_assessment(session: WriteSession, assessment: Assessment, policy: RiskPolicy, *, now: datetime) -> None:
    """Store an assessment as the last one, with its policy, and add its values to the series and their hours."""
    await session.execute(
        insert(RiskPolicyRow).values(version=policy.version, content=policy.document).on_conflict_do_nothing()
    )
    values = _values(assessment, now)
    statement = insert(RiskAssessmentRow).values(id=_ID, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
    await add_metrics(session, _metrics(assessment))


def _values(assessment: Assessment, now: datetime) -> dict[str, Any]:
    level = assessment.level
    return {
        "block_number": assessment.at.number,
        "block_at": level.assessed_at,
        "assessed_at": now,
        "level": level.level,
        "level_since": level.since,
        "indicated": level.indicated,
        "lower_since": level.lower_since,
        "lower_highest": level.lower_highest,
        "score": assessment.score.value,
        "policy_version": assessment.policy_version,
        "measurements": [
            {
                "name": measured.name,
                "value": None if measured.value is None else str(measured.value),
                "status": measured.status,
                "note": measured.note,
            }
            for measured in assessment.measurements
        ],
        "contributions": [
            {
                "group": contribution.group,
                "points": str(contribution.points),
                "distance": str(contribution.distance),
                "indicator": contribution.indicator,
            }
            for contribution in assessment.score.contributions
        ],
    }


def _stored(row: RiskAssessmentRow) -> StoredAssessment:
    level = LevelState(
        row.level,
        row.level_since.astimezone(UTC),
        row.block_at.astimezone(UTC),
        row.indicated,
        None if row.lower_since is None else row.lower_since.astimezone(UTC),
        row.lower_highest,
    )
    score = Score(
        tuple(
            Contribution(
                IndicatorGroup(item["group"]),
                Decimal(item["points"]),
                Decimal(item["distance"]),
                IndicatorName(item["indicator"]),
            )
            for item in row.contributions
        )
    )
    measurements = tuple(
        Measurement(
            IndicatorName(item["name"]),
            None if item["value"] is None else Decimal(item["value"]),
            IndicatorStatus(item["status"]),
            item["note"],
        )
        for item in row.measurements
    )
    return StoredAssessment(row.block_number, row.assessed_at.astimezone(UTC), level, score, measurements, row.policy_version)


# The hour is written with its value, in one statement: an assessment that is stored twice counts once in both.
_ADD_METRIC: Final = text("""
    WITH added AS (
        INSERT INTO ops.risk_metrics_series (time, indicator, block_number, value, level, threshold_version)
        VALUES (:time, :indicator, :block_number, :value, :level, :threshold_version)
            ON CONFLICT DO NOTHING
        RETURNING *)
    INSERT INTO ops.risk_metrics_hourly AS known
           (hour, indicator, samples, minimum, maximum, total, last_value, last_at)
    SELECT date_trunc('hour', time, 'UTC'), indicator, 1, value, value, value, value, time
      FROM added
        ON CONFLICT (hour, indicator) DO UPDATE
       SET samples = known.samples + 1,
           minimum = least(known.minimum, excluded.minimum),
           maximum = greatest(known.maximum, excluded.maximum),
           total = known.total + excluded.total,
           last_value = CASE WHEN excluded.last_at >= known.last_at THEN excluded.last_value ELSE known.last_value END,
           last_at = greatest(known.last_at, excluded.last_at)
""")


async def add_metrics(session: WriteSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add values to the series, each with its part of the hour; a value that is there already is left alone."""
    await session.execute(_ADD_METRIC, rows)


def _metrics(assessment: Assessment) -> list[dict[str, Any]]:
    level = assessment.level.level
    level_status = _STATUS_OF_LEVEL[SEVERITY_OF_LEVEL.get(level)]
    figures: list[tuple[str, Decimal, IndicatorStatus]] = [
        *((found.name, found.value, found.status) for found in assessment.measurements if found.value is not None),
        (OVERALL_SCORE, assessment.score.value, IndicatorStatus.NORMAL),
        (OVERALL_LEVEL, Decimal(level.number), level_status),
    ]
    return [
        {
            "time": assessment.at.timestamp,
            "indicator": str(name),
            "block_number": assessment.at.number,
            "value": value,
            "level": status.value,
            "threshold_version": assessment.policy_version,
        }
        for name, value, status in figures
    ]


async def get_policy(session: AsyncSession, version: str) -> RiskPolicy:
    """Return the policy of a version that an assessment names."""
    row = await session.get_one(RiskPolicyRow, version)
    return RiskPolicy.of_document(row.content)


async def find_newest_metric_time(session: AsyncSession, name: str) -> datetime | None:
    """Return the time of an indicator's last value; None where it was never measured."""
    newest = select(func.max(RiskMetricHourRow.last_at)).where(RiskMetricHourRow.indicator == name)
    found: datetime | None = (await session.execute(newest)).scalar()
    return found


async def list_values(
    session: AsyncSession, name: str, *, start: datetime, end: datetime, limit: int
) -> list[tuple[datetime, Decimal]]:
    """Return an indicator's values of a range by time, both ends included."""
    query = select(RiskMetricRow.time, RiskMetricRow.value).where(
        RiskMetricRow.indicator == name, RiskMetricRow.time.between(start, end)
    )
    rows = await session.execute(query.order_by(RiskMetricRow.time).limit(limit))
    return [(row.time.astimezone(UTC), row.value) for row in rows]


_FORECAST_CONTENT: Final = TypeAdapter(LiquidityForecast)


async def save_forecast(session: WriteSession, report: ForecastReport) -> None:
    """Store a forecast as the last one of its horizon, unless that is of a later block."""
    values = {
        "block_number": report.at.number,
        "block_hash": report.at.hash,
        "block_at": report.at.timestamp,
        "made_at": report.made_at,
        "policy_version": report.policy_version,
        "content": _FORECAST_CONTENT.dump_python(report.forecast, mode="json"),
    }
    statement = insert(LiquidityForecastRow).values(horizon=report.forecast.horizon, **values)
    is_later = LiquidityForecastRow.block_number < statement.excluded.block_number
    await session.execute(statement.on_conflict_do_update(index_elements=["horizon"], set_=values, where=is_later))


async def find_forecast(session: AsyncSession, horizon: Horizon) -> ForecastReport | None:
    """Return the last forecast of a horizon; None before the first one."""
    row = await session.get(LiquidityForecastRow, horizon, populate_existing=True)
    if row is None:
        return None
    return ForecastReport(
        BlockStamp(row.block_number, row.block_hash, row.block_at.astimezone(UTC)),
        row.made_at.astimezone(UTC),
        row.policy_version,
        _FORECAST_CONTENT.validate_python(row.content),
    )


async def find_outflow_estimate(session: AsyncSession) -> OutflowEstimate | None:
    """Return what the last forecast of 7 days says of requests."""
    report = await find_forecast(session, Horizon.SEVEN_DAYS)
    if report is None:
        return None
    found = report.forecast
    return OutflowEstimate(report.at.timestamp, found.probable_outflow, found.stressed_outflow, found.is_calibrated)


_PERIODS: Final = text("""
    SELECT date_trunc(:unit, hour, 'UTC') AS period, CAST(sum(samples) AS bigint), min(minimum), max(maximum),
           sum(total) / sum(samples), (array_agg(last_value ORDER BY last_at DESC))[1]
      FROM ops.risk_metrics_hourly
     WHERE indicator = :name AND hour >= date_trunc(:unit, CAST(:start AS timestamptz), 'UTC') AND hour <= :end
     GROUP BY period ORDER BY period LIMIT :limit
""")


async def list_periods(
    session: AsyncSession, name: str, *, unit: str, start: datetime, end: datetime, limit: int
) -> list[tuple[datetime, int, Decimal, Decimal, Decimal, Decimal]]:
    """Return an indicator's hours or days by time: samples, minimum, maximum, mean and last value."""
    values = {"name": name, "unit": unit, "start": start, "end": end, "limit": limit}
    return [(row.period.astimezone(UTC), *row[1:]) for row in await session.execute(_PERIODS, values)]


async def list_hours(session: AsyncSession, name: str, *, since: datetime) -> list[IndicatorHour]:
    """Return an indicator's hours from a time on, by time."""
    row = RiskMetricHourRow
    query = select(row.hour, row.minimum, row.maximum).where(row.indicator == name, row.hour >= since).order_by(row.hour)
    return [IndicatorHour(hour.astimezone(UTC), *bounds) for hour, *bounds in await session.execute(query)]
