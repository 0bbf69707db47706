"""Tables of the fund's risk: the policies, the last assessment, and the indicators over time.

They are in `ops`: an assessment is a decision by the policy of its time, which a replay cannot repeat.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Numeric, SmallInteger, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.risk.liquidity_forecast import Horizon
from paimon.domain.risk.risk_policy import IndicatorStatus, RiskLevel
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import HashBytes, Instant, enum_check, enum_column, length_check


class RiskPolicyRow(Base):
    """A policy that an assessment was made by. Its version is the digest of its content."""

    __tablename__ = "risk_policies"
    __table_args__ = (CheckConstraint("version ~ '^[0-9a-f]{12}$'", name="version_form"), OPS_SCHEMA)
    version: Mapped[str] = mapped_column(Text, primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    first_used_at: Mapped[Instant] = mapped_column(server_default=func.now())


class RiskAssessmentRow(Base):
    """The last assessment: one row. The figures of earlier ones are in the series, and their levels are risk events."""

    __tablename__ = "risk_assessment"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        enum_check("level", RiskLevel),
        enum_check("indicated", RiskLevel),
        enum_check("lower_highest", RiskLevel),
        CheckConstraint("score BETWEEN 0 AND 100", name="score_in_range"),
        OPS_SCHEMA,
    )
    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    block_number: Mapped[int] = mapped_column(BigInteger)
    block_at: Mapped[Instant]
    assessed_at: Mapped[Instant]
    level: Mapped[RiskLevel] = enum_column(RiskLevel)
    level_since: Mapped[Instant]
    indicated: Mapped[RiskLevel] = enum_column(RiskLevel)
    lower_since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    lower_highest: Mapped[RiskLevel] = enum_column(RiskLevel)
    score: Mapped[Decimal] = mapped_column(Numeric)
    policy_version: Mapped[str] = mapped_column(Text)
    measurements: Mapped[list[Any]] = mapped_column(JSONB)
    contributions: Mapped[list[Any]] = mapped_column(JSONB)


class LiquidityForecastRow(Base):
    """The last forecast of one horizon, by the policy of its time. The figures of earlier ones are in the series."""

    __tablename__ = "liquidity_forecasts"
    __table_args__ = (enum_check("horizon", Horizon), *length_check(32, "block_hash"), OPS_SCHEMA)
    horizon: Mapped[Horizon] = enum_column(Horizon, primary_key=True)
    block_number: Mapped[int] = mapped_column(BigInteger)
    block_hash: Mapped[HashBytes]
    block_at: Mapped[Instant]
    made_at: Mapped[Instant]
    policy_version: Mapped[str] = mapped_column(Text)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)


class RiskMetricRow(Base):
    """One indicator's value at one block. `time` is the block's; the value may be infinite."""

    __tablename__ = "risk_metrics_series"
    __table_args__ = (enum_check("level", IndicatorStatus), OPS_SCHEMA)
    time: Mapped[Instant] = mapped_column(primary_key=True)
    indicator: Mapped[str] = mapped_column(Text, primary_key=True)
    block_number: Mapped[int] = mapped_column(BigInteger)
    value: Mapped[Decimal] = mapped_column(Numeric)
    level: Mapped[IndicatorStatus] = enum_column(IndicatorStatus)
    threshold_version: Mapped[str] = mapped_column(Text)


class RiskMetricHourRow(Base):
    """One indicator's hour, updated as its values are written. Retention removes the values, not the hours."""

    __tablename__ = "risk_metrics_hourly"
    __table_args__ = (
        CheckConstraint("hour = date_trunc('hour', hour, 'UTC')", name="hour_is_truncated"),
        CheckConstraint("samples > 0", name="samples_positive"),
        CheckConstraint("minimum <= last_value AND last_value <= maximum", name="last_within_bounds"),
        OPS_SCHEMA,
    )
    hour: Mapped[Instant] = mapped_column(primary_key=True)
    indicator: Mapped[str] = mapped_column(Text, primary_key=True)
    samples: Mapped[int] = mapped_column(BigInteger)
    minimum: Mapped[Decimal] = mapped_column(Numeric)
    maximum: Mapped[Decimal] = mapped_column(Numeric)
    total: Mapped[Decimal] = mapped_column(Numeric)
    last_value: Mapped[Decimal] = mapped_column(Numeric)
    last_at: Mapped[Instant]
