"""Tables of share balances and deposits."""

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from paimon.infrastructure.database.models.base import DERIVED_SCHEMA, Base
from paimon.infrastructure.database.models.derived.event_columns import EventRowColumns, event_row_checks
from paimon.infrastructure.database.types import (
    AddressBytes,
    Instant,
    Uint256,
    length_check,
    uint256_check,
)


class ShareBalanceRow(Base):
    """A holder's shares in the wallet, those locked in the vault, and the time of the first shares."""

    __tablename__ = "share_balances"
    __table_args__ = (
        *length_check(20, "holder"),
        *uint256_check("shares", "locked_shares"),
        Index("ix_share_balances_total_shares", text("(shares + locked_shares) DESC"), text("holder DESC")),
        DERIVED_SCHEMA,
    )
    holder: Mapped[AddressBytes] = mapped_column(primary_key=True)
    shares: Mapped[Uint256]
    locked_shares: Mapped[Uint256]
    since: Mapped[Instant]


class DepositRow(EventRowColumns, Base):
    """One deposit: assets in, shares out."""

    __tablename__ = "deposits"
    __table_args__ = (
        *event_row_checks(),
        *length_check(20, "sender", "receiver"),
        *uint256_check("assets", "shares"),
        Index("ix_deposits_receiver", "receiver", "block_number"),
        Index("ix_deposits_at", "at"),
        DERIVED_SCHEMA,
    )
    sender: Mapped[AddressBytes]
    receiver: Mapped[AddressBytes]
    assets: Mapped[Uint256]
    shares: Mapped[Uint256]
