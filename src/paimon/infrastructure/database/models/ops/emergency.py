"""Tables of the emergency protocol: each emergency and drill with its steps, and the timeline of what happened."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, ForeignKey, Identity, Index, Integer, Text, func, text
from sqlalchemy.dialects.postgresql import BYTEA, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.risk.emergency import EmergencyState, EntryKind, StepKind
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import Instant, enum_check, enum_column, length_check


class EmergencyRow(Base):
    """One emergency, or one drill. At most one of both is open: `uq_emergencies_open` says so."""

    __tablename__ = "emergencies"
    __table_args__ = (
        enum_check("state", EmergencyState),
        *length_check(20, "started_by"),
        CheckConstraint("(state IN ('CLOSED', 'STOOD_DOWN')) = (ended_at IS NOT NULL)", name="ended_at_with_state"),
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="ended_with_reason"),
        CheckConstraint("is_drill = (started_by IS NOT NULL)", name="drill_by_a_person"),
        CheckConstraint("is_drill OR state <> 'ARMED'", name="only_drills_are_armed"),
        Index("uq_emergencies_open", text("(ended_at IS NULL)"), unique=True, postgresql_where="ended_at IS NULL"),
        OPS_SCHEMA,
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    is_drill: Mapped[bool] = mapped_column(Boolean)
    state: Mapped[EmergencyState] = enum_column(EmergencyState)
    started_at: Mapped[Instant]
    started_by: Mapped[bytes | None] = mapped_column(BYTEA)
    evidence: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state_since: Mapped[Instant]
    critical_since: Mapped[Instant]
    steps: Mapped[list[Any]] = mapped_column(JSONB)
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    end_reason: Mapped[str | None] = mapped_column(Text)
    end_evidence: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class EmergencyEntryRow(Base):
    """One entry of an emergency's timeline; the times are the database's."""

    __tablename__ = "emergency_timeline"
    __table_args__ = (
        enum_check("kind", EntryKind),
        enum_check("step", StepKind),
        *length_check(20, "actor"),
        CheckConstraint("number > 0", name="number_from_one"),
        OPS_SCHEMA,
    )
    emergency_id: Mapped[int] = mapped_column(ForeignKey("ops.emergencies.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[Instant] = mapped_column(server_default=func.now())
    kind: Mapped[EntryKind] = enum_column(EntryKind)
    step: Mapped[StepKind | None] = enum_column(StepKind)
    actor: Mapped[bytes | None] = mapped_column(BYTEA)
    text: Mapped[str] = mapped_column(Text)
