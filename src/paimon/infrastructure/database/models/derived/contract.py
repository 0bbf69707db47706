"""Tables of contract flags, protocol addresses and liquidity alerts."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.asset.protocol_address import ProtocolAddressKind
from paimon.domain.kernel.chain import ContractName
from paimon.domain.projection.facts import AlertLevel
from paimon.infrastructure.database.models.base import DERIVED_SCHEMA, Base
from paimon.infrastructure.database.models.derived.event_columns import EventRowColumns, event_row_checks
from paimon.infrastructure.database.types import (
    AddressBytes,
    Uint256,
    Uint256Type,
    enum_check,
    enum_column,
    length_check,
    uint256_check,
)


class ContractFlagRow(Base):
    """A boolean state of a contract: `paused` of each contract, `emergency_mode` of the vault."""

    __tablename__ = "contract_flags"
    __table_args__ = (enum_check("contract", ContractName), DERIVED_SCHEMA)
    contract: Mapped[ContractName] = enum_column(ContractName, primary_key=True)
    flag: Mapped[str] = mapped_column(Text, primary_key=True)
    enabled: Mapped[bool] = mapped_column(Boolean)
    since_block: Mapped[int] = mapped_column(BigInteger)


class ProtocolAddressRow(Base):
    """The address that serves a contract in one role at the cursor's block: fee recipient, oracle, swap helper, …"""

    __tablename__ = "protocol_addresses"
    __table_args__ = (
        enum_check("contract", ContractName),
        enum_check("role", ProtocolAddressKind),
        *length_check(20, "address"),
        DERIVED_SCHEMA,
    )
    contract: Mapped[ContractName] = enum_column(ContractName, primary_key=True)
    role: Mapped[ProtocolAddressKind] = enum_column(ProtocolAddressKind, primary_key=True)
    address: Mapped[AddressBytes]
    since_block: Mapped[int] = mapped_column(BigInteger)


class LiquidityAlertRow(EventRowColumns, Base):
    """An alert of the redemption manager. The critical alert does not contain the total."""

    __tablename__ = "liquidity_alerts"
    __table_args__ = (
        *event_row_checks(),
        enum_check("level", AlertLevel),
        *uint256_check("ratio_bps", "threshold_bps", "available", "total"),
        CheckConstraint("(level = 'LOW') = (total IS NOT NULL)", name="total_when_low"),
        Index("ix_liquidity_alerts_at", "at"),
        DERIVED_SCHEMA,
    )
    level: Mapped[AlertLevel] = enum_column(AlertLevel)
    ratio_bps: Mapped[Uint256]
    threshold_bps: Mapped[Uint256]
    available: Mapped[Uint256]
    total: Mapped[int | None] = mapped_column(Uint256Type())
