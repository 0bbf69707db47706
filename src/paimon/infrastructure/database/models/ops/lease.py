"""The tables of leases: the holder of each process of which only one may be active, and of each key of a signer."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import (
    Instant,
)


class LeaseRow(Base):
    """The holder of one lease. `epoch` only grows: a writer that lost the lease is refused because its epoch is old."""

    __tablename__ = "leases"
    __table_args__ = (CheckConstraint("epoch >= 0", name="epoch_not_negative"), OPS_SCHEMA)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    owner: Mapped[str] = mapped_column(Text)
    epoch: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[Instant]


class SignerLeaseRow(Base):
    """The signer that may sign movements with a key. A table of its own, so that only the role of signers may write it."""

    __tablename__ = "signer_leases"
    __table_args__ = (CheckConstraint("epoch >= 0", name="epoch_not_negative"), OPS_SCHEMA)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    owner: Mapped[str] = mapped_column(Text)
    epoch: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[Instant]
