"""What people told the transaction desk. Owned: who wanted what, and their signature over it, is nowhere else."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Text, func
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.transaction.operator_action import DeedKind, DeedState
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import AddressBytes, HashBytes, Instant, enum_check, enum_column, length_check


class OperatorActionRow(Base):
    """A wish with what was signed, verifiable by anyone without this system. The wallet's driver carries it out, once."""

    __tablename__ = "desk_deeds"
    __table_args__ = (
        enum_check("kind", DeedKind),
        enum_check("state", DeedState),
        *length_check(32, "nonce"),
        *length_check(20, "asked_by"),
        CheckConstraint("(kind = 'clear_trouble') = (intent_id IS NULL)", name="about_an_intent_or_its_wallet"),
        CheckConstraint("(state = 'asked') = (ended_at IS NULL)", name="dated_when_ended"),
        CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ends_with_an_outcome"),
        # One wish at a time: the next is judged by what became of this one.
        Index("uq_desk_deeds_asked_of_intent", "intent_id", unique=True, postgresql_where="state = 'asked'"),
        Index(
            "uq_desk_deeds_asked_of_wallet",
            "wallet",
            unique=True,
            postgresql_where="state = 'asked' AND intent_id IS NULL",
        ),
        Index("ix_desk_deeds_asked", "wallet", postgresql_where="state = 'asked'"),
        Index("ix_desk_deeds_intent", "intent_id"),
        OPS_SCHEMA,
    )
    nonce: Mapped[HashBytes] = mapped_column(primary_key=True)
    kind: Mapped[DeedKind] = enum_column(DeedKind)
    wallet: Mapped[AddressBytes] = mapped_column(ForeignKey("owned.wallets.address"))
    intent_id: Mapped[UUID | None] = mapped_column(ForeignKey("owned.transaction_intents.id"))
    about: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[AddressBytes]
    asked_at: Mapped[Instant] = mapped_column(server_default=func.now())
    typed_data: Mapped[dict[str, Any]]
    signature: Mapped[bytes] = mapped_column(BYTEA)
    expires_at: Mapped[Instant]
    state: Mapped[DeedState] = enum_column(DeedState, server_default=DeedState.ASKED.value)
    outcome: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
