"""The table of stand-ins."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Identity, Index, Text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import AddressBytes, HashBytes, Instant, length_check


class StandInRow(Base):
    """A person and who decides approvals in their place for a time; `nonce` is that of the signed action that names it."""

    __tablename__ = "stand_ins"
    __table_args__ = (
        *length_check(20, "person", "stand_in", "ended_by"),
        *length_check(32, "nonce"),
        CheckConstraint("person <> stand_in", name="two_people"),
        CheckConstraint("starts_at < ends_at", name="ends_later"),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ended_by_a_person"),
        Index("uq_stand_ins_nonce", "nonce", unique=True),
        Index("ix_stand_ins_ends_at", "ends_at"),
        OPS_SCHEMA,
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person: Mapped[AddressBytes]
    stand_in: Mapped[AddressBytes]
    starts_at: Mapped[Instant]
    ends_at: Mapped[Instant]
    reason: Mapped[str] = mapped_column(Text)
    nonce: Mapped[HashBytes] = mapped_column(ForeignKey("ops.signed_actions.nonce"))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_by: Mapped[bytes | None] = mapped_column(BYTEA)
