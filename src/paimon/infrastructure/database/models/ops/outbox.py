"""The table of the outbox."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Identity,
    Index,
    Integer,
    Text,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.operations.outbox import OutboxPriority
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import (
    Instant,
    enum_check,
    enum_column,
)


class OutboxMessageRow(Base):
    """One outbox message. The row is authoritative; the message in the queue only points at it."""

    __tablename__ = "outbox"
    __table_args__ = (
        enum_check("priority", OutboxPriority),
        CheckConstraint("done_at IS NULL OR dead_lettered_at IS NULL", name="done_or_dead_lettered"),
        Index("ix_outbox_due", "available_at", postgresql_where="done_at IS NULL AND dead_lettered_at IS NULL"),
        Index("ix_outbox_dead_lettered", "dead_lettered_at", postgresql_where="dead_lettered_at IS NOT NULL"),
        OPS_SCHEMA,
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    aggregate_id: Mapped[str] = mapped_column(Text)
    payload: Mapped[dict[str, Any]]
    priority: Mapped[OutboxPriority] = enum_column(OutboxPriority)
    correlation_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())
    available_at: Mapped[Instant] = mapped_column(server_default=func.now())
    enqueued_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    last_error: Mapped[str | None] = mapped_column(Text)
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    dead_lettered_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
