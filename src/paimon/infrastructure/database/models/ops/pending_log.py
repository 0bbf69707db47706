"""The table of logs in blocks that are not final yet. Nothing is projected from them, and every row is removed again.

It is in `ops`, because a replay cannot rebuild it: some of its blocks will never be recorded.
"""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.kernel.chain import ContractName
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import AddressBytes, HashBytes, Instant, enum_check, enum_column, length_check


class PendingLogRow(Base):
    """One decoded log of a tracked contract in a block above the recorded ones. `seen_at` is the database's time."""

    __tablename__ = "pending_logs"
    __table_args__ = (
        enum_check("contract", ContractName),
        *length_check(32, "block_hash", "tx_hash"),
        *length_check(20, "address"),
        CheckConstraint("(event IS NULL) = (args IS NULL)", name="args_with_event"),
        Index("ix_pending_logs_position", "block_number", "log_index"),
        OPS_SCHEMA,
    )
    block_hash: Mapped[HashBytes] = mapped_column(primary_key=True)
    log_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    block_number: Mapped[int] = mapped_column(BigInteger)
    block_timestamp: Mapped[Instant]
    tx_hash: Mapped[HashBytes]
    address: Mapped[AddressBytes]
    contract: Mapped[ContractName] = enum_column(ContractName)
    event: Mapped[str | None] = mapped_column(Text)
    args: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    seen_at: Mapped[Instant] = mapped_column(server_default=func.now())
