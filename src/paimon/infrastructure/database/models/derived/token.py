"""Tables of token transfers from or to the vault, and of their totals."""

from sqlalchemy import CheckConstraint, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.asset.token_transfer import TransferDirection, TransferPurpose
from paimon.infrastructure.database.models.base import DERIVED_SCHEMA, Base
from paimon.infrastructure.database.models.derived.event_columns import EventRowColumns, event_row_checks
from paimon.infrastructure.database.types import (
    AddressBytes,
    Uint256,
    enum_check,
    enum_column,
    length_check,
    uint256_check,
)


class TokenTransferRow(EventRowColumns, Base):
    """One ERC-20 Transfer from or to the vault. `source_log_index` is the log of its block that shows its purpose."""

    __tablename__ = "token_transfers"
    __table_args__ = (
        *event_row_checks(),
        enum_check("direction", TransferDirection),
        enum_check("purpose", TransferPurpose),
        *length_check(20, "token", "sender", "receiver"),
        *uint256_check("amount"),
        CheckConstraint("purpose <> 'ZERO_VALUE' OR amount = 0", name="zero_value_amount"),
        CheckConstraint("(direction = 'INTERNAL') = (sender = receiver)", name="internal_same_address"),
        CheckConstraint(
            "(source_log_index IS NULL) = (purpose IN ('FEE_COLLECTION','EMERGENCY_WITHDRAWAL','ZERO_VALUE','UNEXPLAINED'))",
            name="source_log_index_by_purpose",
        ),
        Index("ix_token_transfers_token", "token", "block_number"),
        Index("ix_token_transfers_at", "at"),
        Index(
            "ix_token_transfers_unexplained",
            "block_number",
            postgresql_where="purpose IN ('EMERGENCY_WITHDRAWAL','UNEXPLAINED')",
        ),
        DERIVED_SCHEMA,
    )
    token: Mapped[AddressBytes]
    sender: Mapped[AddressBytes]
    receiver: Mapped[AddressBytes]
    direction: Mapped[TransferDirection] = enum_column(TransferDirection)
    amount: Mapped[Uint256]
    purpose: Mapped[TransferPurpose] = enum_column(TransferPurpose)
    source_log_index: Mapped[int | None] = mapped_column(Integer)


class TokenFlowRow(Base):
    """The totals into and out of the vault of one token, since the token is tracked."""

    __tablename__ = "token_flows"
    __table_args__ = (*length_check(20, "token"), *uint256_check("received", "sent"), DERIVED_SCHEMA)
    token: Mapped[AddressBytes] = mapped_column(primary_key=True)
    received: Mapped[Uint256]
    sent: Mapped[Uint256]
