"""Tables of risk events, whose owners and notes exist only here, and of the links that acknowledge one."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Identity, Index, LargeBinary, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.kernel.chain import Address
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.domain.user.roles import UserRole
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import AddressBytes, HashBytes, Instant, enum_check, enum_column, length_check


class AcknowledgementLinkRow(Base):
    """A link by which one person acknowledges one event, once. The table has the hash of the token only."""

    __tablename__ = "acknowledgement_links"
    __table_args__ = (
        *length_check(32, "token_hash"),
        *length_check(20, "person"),
        CheckConstraint("used_at <= expires_at", name="used_in_time"),
        Index("ix_acknowledgement_links_event_id", "event_id"),
        OPS_SCHEMA,
    )
    token_hash: Mapped[HashBytes] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("ops.risk_events.id"))
    person: Mapped[AddressBytes]
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())
    expires_at: Mapped[Instant]
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class RiskEventRow(Base):
    """One finding over time. If a resolved subject is found again, a new row begins."""

    __tablename__ = "risk_events"
    __table_args__ = (
        enum_check("kind", RiskKind),
        enum_check("severity", Severity),
        enum_check("status", RiskStatus),
        enum_check("owner_role", UserRole),
        *length_check(20, "owner_address", "acknowledged_by", "resolved_by"),
        CheckConstraint("num_nonnulls(owner_role, owner_address) = 1", name="one_owner"),
        CheckConstraint("(acknowledged_at IS NULL) = (acknowledged_by IS NULL)", name="acknowledged_by_with_time"),
        CheckConstraint("status <> 'ACKNOWLEDGED' OR acknowledged_at IS NOT NULL", name="acknowledged_at_when_acknowledged"),
        CheckConstraint("(status = 'RESOLVED') = (resolved_at IS NOT NULL)", name="resolved_at_when_resolved"),
        CheckConstraint(
            "num_nonnulls(resolved_block, resolved_by) = CASE WHEN resolved_at IS NULL THEN 0 ELSE 1 END",
            name="resolved_by_check_or_person",
        ),
        CheckConstraint("first_seen_block <= last_seen_block", name="seen_in_order"),
        Index("uq_risk_events_unresolved", "kind", "subject", unique=True, postgresql_where="status <> 'RESOLVED'"),
        Index("ix_risk_events_first_seen_at", "first_seen_at", "id"),
        Index("ix_risk_events_subject", "kind", "subject"),
        OPS_SCHEMA,
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[RiskKind] = enum_column(RiskKind)
    subject: Mapped[str] = mapped_column(Text)
    observed: Mapped[str] = mapped_column(Text)
    expected: Mapped[str] = mapped_column(Text)
    severity: Mapped[Severity] = enum_column(Severity)
    status: Mapped[RiskStatus] = enum_column(RiskStatus)
    owner_role: Mapped[UserRole | None] = enum_column(UserRole)
    owner_address: Mapped[Address | None] = mapped_column(LargeBinary(20))
    first_seen_at: Mapped[Instant]
    first_seen_block: Mapped[int] = mapped_column(BigInteger)
    last_seen_at: Mapped[Instant]
    last_seen_block: Mapped[int] = mapped_column(BigInteger)
    acknowledged_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    acknowledged_by: Mapped[Address | None] = mapped_column(LargeBinary(20))
    resolved_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    resolved_block: Mapped[int | None] = mapped_column(BigInteger)
    resolved_by: Mapped[Address | None] = mapped_column(LargeBinary(20))
    note: Mapped[str | None] = mapped_column(Text)
