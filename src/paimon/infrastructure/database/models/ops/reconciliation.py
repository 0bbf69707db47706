"""The table of reconciliations."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Identity,
    Integer,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import (
    HashBytes,
    Instant,
    length_check,
)


class ReconciliationRow(Base):
    """One comparison of the projections with the chain at one block, with every discrepancy.

    An orphaned reconciliation was made at a block that a reorganisation removed. It is kept as a record only.
    """

    __tablename__ = "reconciliations"
    __table_args__ = (*length_check(32, "block_hash"), OPS_SCHEMA)
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    block_number: Mapped[int] = mapped_column(BigInteger)
    block_hash: Mapped[HashBytes]
    figures_compared: Mapped[int] = mapped_column(Integer)
    discrepancies: Mapped[list[Any]]
    checked_at: Mapped[Instant] = mapped_column(server_default=func.now())
    orphaned: Mapped[bool] = mapped_column(Boolean, server_default="false")
