"""Tables of notifications: what was told of each event, on which channel, in which message, and what people prefer."""

from datetime import datetime, time

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    Time,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.notification.message import MessageLanguage, MessageStatus, Occasion
from paimon.domain.risk.risk_event import Severity
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import AddressBytes, Instant, enum_check, enum_column, length_check


class RoutedEventRow(Base):
    """How far an event was routed: the severity that people were told, and the escalations that are done."""

    __tablename__ = "routed_events"
    __table_args__ = (enum_check("severity", Severity), OPS_SCHEMA)
    event_id: Mapped[int] = mapped_column(ForeignKey("ops.risk_events.id"), primary_key=True, autoincrement=False)
    severity: Mapped[Severity] = enum_column(Severity)
    routed_at: Mapped[Instant]
    escalated_seconds: Mapped[float] = mapped_column(Float)
    next_step_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class NotificationRow(Base):
    """One message to one channel. It is queued with its events in one transaction, and sent later."""

    __tablename__ = "notifications"
    __table_args__ = (
        enum_check("occasion", Occasion),
        enum_check("severity", Severity),
        enum_check("language", MessageLanguage),
        enum_check("status", MessageStatus),
        CheckConstraint("(status = 'SENT') = (sent_at IS NOT NULL)", name="sent_at_when_sent"),
        CheckConstraint("(status = 'SENDING') = (claimed_at IS NOT NULL)", name="claimed_at_while_sending"),
        CheckConstraint("(occasion = 'ENDED') = (ends_id IS NOT NULL)", name="ended_names_its_message"),
        CheckConstraint("attempts >= 0 AND events >= 0", name="counted"),
        UniqueConstraint("key"),
        UniqueConstraint("ends_id"),
        UniqueConstraint("fallback_of_id"),
        Index("ix_notifications_due", "channel", "due_at", postgresql_where="status IN ('QUEUED', 'SENDING')"),
        Index("ix_notifications_failed", "channel", "created_at", postgresql_where="status = 'FAILED'"),
        Index("ix_notifications_channel", "channel", "created_at"),
        Index(
            "ix_notifications_not_ended",
            "id",
            postgresql_where="ended_at IS NULL AND status = 'SENT' AND occasion IN ('OPENED', 'REMINDER')",
        ),
        OPS_SCHEMA,
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    key: Mapped[str] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(Text)
    occasion: Mapped[Occasion] = enum_column(Occasion)
    severity: Mapped[Severity] = enum_column(Severity)
    language: Mapped[MessageLanguage] = enum_column(MessageLanguage)
    title: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    dedup_key: Mapped[str] = mapped_column(Text)
    events: Mapped[int] = mapped_column(Integer)
    is_group: Mapped[bool] = mapped_column(Boolean)
    status: Mapped[MessageStatus] = enum_column(MessageStatus)
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())
    due_at: Mapped[Instant] = mapped_column(server_default=func.now())
    claimed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    receipt: Mapped[str | None] = mapped_column(Text)
    last_error: Mapped[str | None] = mapped_column(Text)
    ends_id: Mapped[int | None] = mapped_column(ForeignKey("ops.notifications.id"))
    fallback_of_id: Mapped[int | None] = mapped_column(ForeignKey("ops.notifications.id"))
    events_of_id: Mapped[int | None] = mapped_column(
        ForeignKey("ops.notifications.id")
    )  # a fallback tells of the events of this one


class NotificationEventRow(Base):
    """One event to tell on one channel for one reason, once: it waits for its message, or belongs to one."""

    __tablename__ = "notification_events"
    __table_args__ = (
        enum_check("occasion", Occasion),
        Index("ix_notification_events_waiting", "channel", "due_at", postgresql_where="message_id IS NULL AND NOT dropped"),
        Index("ix_notification_events_message_id", "message_id"),
        OPS_SCHEMA,
    )
    event_id: Mapped[int] = mapped_column(ForeignKey("ops.risk_events.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(Text, primary_key=True)
    occasion: Mapped[Occasion] = enum_column(Occasion, primary_key=True)
    step: Mapped[str] = mapped_column(Text, primary_key=True)
    due_at: Mapped[Instant]
    dropped: Mapped[bool] = mapped_column(Boolean, server_default="false")
    message_id: Mapped[int | None] = mapped_column(ForeignKey("ops.notifications.id"))


class NotificationPreferenceRow(Base):
    """What a person chose for the messages on their own channels."""

    __tablename__ = "notification_preferences"
    __table_args__ = (
        *length_check(20, "person"),
        enum_check("language", MessageLanguage),
        enum_check("severity_min", Severity),
        CheckConstraint("num_nonnulls(quiet_from, quiet_until) IN (0, 2)", name="quiet_hours_whole"),
        OPS_SCHEMA,
    )
    person: Mapped[AddressBytes] = mapped_column(primary_key=True)
    language: Mapped[MessageLanguage | None] = enum_column(MessageLanguage)
    severity_min: Mapped[Severity] = enum_column(Severity)
    quiet_from: Mapped[time | None] = mapped_column(Time)
    quiet_until: Mapped[time | None] = mapped_column(Time)
    time_zone: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[Instant] = mapped_column(server_default=func.now(), onupdate=func.now())
