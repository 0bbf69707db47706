"""The table of redemption requests."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.redemption.request import RedemptionChannel, RedemptionStatus
from paimon.infrastructure.database.models.base import DERIVED_SCHEMA, Base
from paimon.infrastructure.database.types import (
    AddressBytes,
    Instant,
    Uint256,
    Uint256Type,
    enum_check,
    enum_column,
    length_check,
    uint256_check,
)


class RedemptionRequestRow(Base):
    """A redemption request as the events recorded it. `lockedNav` is an observation, joined when it exists."""

    __tablename__ = "redemption_requests"
    __table_args__ = (
        enum_check("channel", RedemptionChannel),
        enum_check("status", RedemptionStatus),
        *length_check(20, "owner", "receiver"),
        *uint256_check("request_id", "shares", "gross_amount", "estimated_fee", "window_id"),
        *uint256_check("settled_fee", "settled_net_amount"),
        CheckConstraint(
            "(status IN ('SETTLED','CANCELLED','REJECTED')) = (closed_at IS NOT NULL)", name="closed_when_terminal"
        ),
        CheckConstraint(
            "(status = 'SETTLED') = (settled_net_amount IS NOT NULL) AND (settled_net_amount IS NULL) = (settled_fee IS NULL)",
            name="amounts_when_settled",
        ),
        CheckConstraint(
            "status NOT IN ('PENDING_APPROVAL','APPROVED','REJECTED') OR requires_approval",
            name="approval_statuses_require_approval",
        ),
        CheckConstraint("status <> 'PENDING' OR NOT requires_approval", name="pending_without_approval"),
        CheckConstraint("(status = 'REJECTED') = (rejection_reason IS NOT NULL)", name="reason_when_rejected"),
        Index("ix_redemption_requests_status_settlement", "status", "settlement_at"),
        Index("ix_redemption_requests_owner", "owner", "requested_at"),
        Index("ix_redemption_requests_requested_at", "requested_at"),
        DERIVED_SCHEMA,
    )
    request_id: Mapped[int] = mapped_column(Uint256Type(), primary_key=True, autoincrement=False)
    owner: Mapped[AddressBytes]
    receiver: Mapped[AddressBytes]
    shares: Mapped[Uint256]
    gross_amount: Mapped[Uint256]
    estimated_fee: Mapped[Uint256]
    channel: Mapped[RedemptionChannel] = enum_column(RedemptionChannel)
    requires_approval: Mapped[bool] = mapped_column(Boolean)
    window_id: Mapped[Uint256]
    status: Mapped[RedemptionStatus] = enum_column(RedemptionStatus)
    requested_at: Mapped[Instant]
    settlement_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    settled_fee: Mapped[int | None] = mapped_column(Uint256Type())
    settled_net_amount: Mapped[int | None] = mapped_column(Uint256Type())
    rejection_reason: Mapped[str | None] = mapped_column(Text)
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    updated_block: Mapped[int] = mapped_column(BigInteger)
