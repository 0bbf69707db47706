"""Tables of the rebalance engine: each decision with its inputs, and what is known of each condition of a trigger."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, ForeignKey, Index, Numeric, Text, func
from sqlalchemy.dialects.postgresql import BYTEA, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.kernel.chain import Address
from paimon.domain.rebalance.rebalance_record import RebalanceStatus
from paimon.domain.rebalance.triggers import Trigger
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import HashBytes, Instant, enum_check, enum_column, length_check


class RebalanceRow(Base):
    """One decision. `inputs` and `result` are exact texts, so that a replay can compare bytes; they never change."""

    __tablename__ = "rebalance_history"
    __table_args__ = (
        enum_check("trigger", Trigger),
        enum_check("status", RebalanceStatus),
        *length_check(32, "block_hash"),
        *length_check(20, "requested_by"),
        CheckConstraint("(status IN ('PROPOSED', 'SUBMITTED')) = (closed_at IS NULL)", name="closed_when_ended"),
        CheckConstraint("(closed_at IS NULL) = (close_reason IS NULL)", name="closed_with_reason"),
        CheckConstraint(
            "(status IN ('SUBMITTED', 'EXECUTED', 'PARTIALLY_EXECUTED', 'NOT_EXECUTED')) = (plan_id IS NOT NULL)",
            name="plan_when_submitted",
        ),
        CheckConstraint("(status IN ('EXECUTED', 'PARTIALLY_EXECUTED')) = (outcome IS NOT NULL)", name="outcome_when_executed"),
        Index("ix_rebalance_history_created_at", "created_at", "id"),
        Index("ix_rebalance_history_open", "status", postgresql_where="closed_at IS NULL"),
        OPS_SCHEMA,
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    trigger: Mapped[Trigger] = enum_column(Trigger)
    status: Mapped[RebalanceStatus] = enum_column(RebalanceStatus)
    conditions: Mapped[list[Any]] = mapped_column(JSONB)
    calls: Mapped[list[Any]] = mapped_column(JSONB)
    requested_by: Mapped[Address | None] = mapped_column(BYTEA)
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())
    block_number: Mapped[int] = mapped_column(BigInteger)
    block_hash: Mapped[HashBytes]
    block_at: Mapped[Instant]
    inputs: Mapped[str] = mapped_column(Text)
    result: Mapped[str] = mapped_column(Text)
    plan_id: Mapped[UUID | None] = mapped_column(ForeignKey("ops.plans.id"), unique=True)
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    close_reason: Mapped[str | None] = mapped_column(Text)
    outcome: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class RebalanceTriggerRow(Base):
    """One condition as the planner judged it last. `fired_at` and `is_armed` carry its quiet time over a restart."""

    __tablename__ = "rebalance_triggers"
    __table_args__ = (enum_check("trigger", Trigger), OPS_SCHEMA)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    trigger: Mapped[Trigger] = enum_column(Trigger)
    figure: Mapped[int] = mapped_column(Numeric(78, 0))
    fires: Mapped[bool] = mapped_column(Boolean)
    reason: Mapped[str] = mapped_column(Text)
    fired_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    is_armed: Mapped[bool] = mapped_column(Boolean)
    judged_at: Mapped[Instant]
    block_number: Mapped[int] = mapped_column(BigInteger)
