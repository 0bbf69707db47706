"""Table of operator actions. The signed request of each action is stored nowhere else."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Text, func
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.transaction.operator_action import ActionKind, ActionStatus
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import AddressBytes, HashBytes, Instant, enum_check, enum_column, length_check


class OperatorActionRow(Base):
    """An action with what was signed, verifiable by anyone without this system. The wallet's driver carries it out once."""

    __tablename__ = "operator_actions"
    __table_args__ = (
        enum_check("kind", ActionKind),
        enum_check("status", ActionStatus),
        *length_check(32, "nonce"),
        *length_check(20, "requested_by"),
        CheckConstraint("(kind = 'clear_fault') = (intent_id IS NULL)", name="target_is_intent_or_wallet"),
        CheckConstraint("(status = 'REQUESTED') = (ended_at IS NULL)", name="ended_at_unless_requested"),
        CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="outcome_when_ended"),
        # One requested action at a time: the next one is checked against the outcome of this one.
        Index("uq_operator_actions_requested_of_intent", "intent_id", unique=True, postgresql_where="status = 'REQUESTED'"),
        Index(
            "uq_operator_actions_requested_of_wallet",
            "wallet",
            unique=True,
            postgresql_where="status = 'REQUESTED' AND intent_id IS NULL",
        ),
        Index("ix_operator_actions_requested", "wallet", postgresql_where="status = 'REQUESTED'"),
        Index("ix_operator_actions_intent", "intent_id"),
        OPS_SCHEMA,
    )
    nonce: Mapped[HashBytes] = mapped_column(primary_key=True)
    kind: Mapped[ActionKind] = enum_column(ActionKind)
    wallet: Mapped[AddressBytes] = mapped_column(ForeignKey("ops.wallets.address"))
    intent_id: Mapped[UUID | None] = mapped_column(ForeignKey("ops.transaction_intents.id"))
    target: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    requested_by: Mapped[AddressBytes]
    requested_at: Mapped[Instant] = mapped_column(server_default=func.now())
    typed_data: Mapped[dict[str, Any]]
    signature: Mapped[bytes] = mapped_column(BYTEA)
    expires_at: Mapped[Instant]
    status: Mapped[ActionStatus] = enum_column(ActionStatus, server_default=ActionStatus.REQUESTED.value)
    outcome: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
