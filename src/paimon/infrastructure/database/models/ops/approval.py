"""Tables of approval tickets and votes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.orm import Mapped, mapped_column, relationship

from paimon.domain.approval.policy import AtDeadline
from paimon.domain.approval.ticket import SlaStage, TicketStatus, TicketType, Verdict
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.models.ops.plan import PlanRow
from paimon.infrastructure.database.types import (
    AddressBytes,
    HashBytes,
    Instant,
    Uint256,
    enum_check,
    enum_column,
    length_check,
    uint256_check,
)


class ApprovalTicketRow(Base):
    """An approval ticket of one redemption request, or of one piece of a plan. Each has at most one ticket, ever."""

    __tablename__ = "approval_tickets"
    __table_args__ = (
        enum_check("type", TicketType),
        enum_check("status", TicketStatus),
        enum_check("sla_stage", SlaStage),
        *uint256_check("request_id", "gross_amount"),
        *length_check(20, "owner", "receiver", "requested_by"),
        enum_check("at_deadline", AtDeadline),
        CheckConstraint(
            "num_nulls(request_id, owner, receiver) IN (0, 3)"
            " AND num_nulls(plan_id, requested_by, passed_when_raised) IN (0, 3)"
            " AND (request_id IS NULL) <> (plan_id IS NULL)",
            name="one_subject",
        ),
        CheckConstraint("(status = 'VOID') = (void_reason IS NOT NULL) OR closed_at IS NOT NULL", name="void_with_reason"),
        CheckConstraint("cardinality(rules) >= 1", name="rules_named"),
        CheckConstraint("required_approvals >= 1", name="required_approvals_positive"),
        CheckConstraint("warn_at <= escalate_at AND escalate_at <= deadline_at", name="sla_in_order"),
        CheckConstraint("(status IN ('PENDING','PARTIALLY_APPROVED')) = (decided_at IS NULL)", name="decided_when_not_open"),
        CheckConstraint("closed_at IS NULL OR decided_at IS NOT NULL", name="decided_before_closed"),
        Index("ix_approval_tickets_open", "deadline_at", postgresql_where="closed_at IS NULL"),
        Index("ix_approval_tickets_opened_at", "opened_at", "id"),
        OPS_SCHEMA,
    )
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    type: Mapped[TicketType] = enum_column(TicketType)
    # Of a redemption.
    request_id: Mapped[Uint256 | None] = mapped_column(unique=True)
    owner: Mapped[bytes | None] = mapped_column(BYTEA)
    receiver: Mapped[bytes | None] = mapped_column(BYTEA)
    # Of a plan.
    plan_id: Mapped[UUID | None] = mapped_column(ForeignKey("ops.plans.id"), unique=True)
    requested_by: Mapped[bytes | None] = mapped_column(BYTEA)
    passed_when_raised: Mapped[bool | None] = mapped_column(Boolean)
    void_reason: Mapped[str | None] = mapped_column(Text)
    # What the request pays before fees, or what the plan moves.
    gross_amount: Mapped[Uint256]
    policy_version: Mapped[int] = mapped_column(Integer)
    # The rules of the policy that asked for the ticket, by name.
    rules: Mapped[list[str]] = mapped_column(ARRAY(Text))
    required_approvals: Mapped[int] = mapped_column(SmallInteger)
    status: Mapped[TicketStatus] = enum_column(TicketStatus)
    sla_stage: Mapped[SlaStage] = enum_column(SlaStage, server_default=SlaStage.ON_TIME.value)
    opened_at: Mapped[Instant]
    warn_at: Mapped[Instant]
    escalate_at: Mapped[Instant]
    deadline_at: Mapped[Instant]
    at_deadline: Mapped[AtDeadline] = enum_column(AtDeadline, server_default=AtDeadline.ALERT.value)
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    decided_externally: Mapped[bool] = mapped_column(Boolean, server_default="false")
    records: Mapped[list["ApprovalRecordRow"]] = relationship(lazy="raise", order_by="ApprovalRecordRow.decided_at")
    plan: Mapped[PlanRow | None] = relationship(lazy="raise")


class ApprovalRecordRow(Base):
    """An accepted vote with what was signed, verifiable without this system."""

    __tablename__ = "approval_records"
    __table_args__ = (
        UniqueConstraint("ticket_id", "voter"),
        enum_check("verdict", Verdict),
        *length_check(20, "voter"),
        *length_check(32, "nonce"),
        OPS_SCHEMA,
    )
    nonce: Mapped[HashBytes] = mapped_column(primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("ops.approval_tickets.id"))
    voter: Mapped[AddressBytes]
    verdict: Mapped[Verdict] = enum_column(Verdict)
    reason: Mapped[str] = mapped_column(Text)
    typed_data: Mapped[dict[str, Any]]
    signature: Mapped[bytes] = mapped_column(BYTEA)
    expires_at: Mapped[Instant]
    decided_at: Mapped[Instant]
    invalid: Mapped["InvalidVoteRow | None"] = relationship(lazy="raise")


class InvalidVoteRow(Base):
    """The mark of a recorded vote that does not verify: it counts for nothing."""

    __tablename__ = "invalid_votes"
    __table_args__ = (CheckConstraint("reason <> ''", name="reason_given"), OPS_SCHEMA)
    nonce: Mapped[HashBytes] = mapped_column(ForeignKey("ops.approval_records.nonce"), primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    found_at: Mapped[Instant] = mapped_column(server_default=func.now())
