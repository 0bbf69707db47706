"""What the chain said, and what follows from it. Every row here can be rebuilt from `raw_logs` and `observations`."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.chain import ContractName
from paimon.domain.redemption import Channel, RedemptionStatus
from paimon.infrastructure.database.models.base import Base
from paimon.infrastructure.database.models.series import AssetHoldingSnapshot, DailySnapshot
from paimon.infrastructure.database.types import (
    AddressBytes,
    HashBytes,
    Instant,
    Uint256,
    Uint256Type,
    enum_check,
    enum_column,
    length_check,
    uint256_check,
)

SCHEMA = {"schema": "derived"}


class LogStatus(StrEnum):
    """What became of a raw log."""

    APPLIED = "applied"  # decoded and, where a projection acts on it, projected
    UNKNOWN = "unknown"  # no event of our ABIs has this topic
    QUARANTINED = "quarantined"  # decodes or applies to nothing we can explain; see its reason


class Cursor(Base):
    """How far the chain is recorded: one row, moved by compare-and-set on (hash, epoch) only."""

    __tablename__ = "cursor"
    __table_args__ = (
        CheckConstraint("id = 1", name="single_row"),
        *length_check(32, "hash"),
        SCHEMA,
    )
    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, default=1)
    number: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[HashBytes]
    timestamp: Mapped[Instant]
    epoch: Mapped[int] = mapped_column(BigInteger)


class Block(Base):
    """A final block's header, kept for every block the listener recorded."""

    __tablename__ = "blocks"
    __table_args__ = (*length_check(32, "hash", "parent_hash"), SCHEMA)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[HashBytes] = mapped_column(unique=True)
    parent_hash: Mapped[HashBytes]
    timestamp: Mapped[Instant]
    recorded_at: Mapped[Instant] = mapped_column(server_default=func.now())


class RawLog(Base):
    """One log exactly as the node gave it, with what it decoded to."""

    __tablename__ = "raw_logs"
    __table_args__ = (
        UniqueConstraint("block_hash", "log_index"),
        Index(None, "tx_hash"),
        Index("ix_raw_logs_request", "request_id", "block_number", "log_index", postgresql_where="request_id IS NOT NULL"),
        Index("ix_raw_logs_quarantined", "block_number", postgresql_where="status = 'quarantined'"),
        CheckConstraint("(status = 'quarantined') = (reason IS NOT NULL)", name="reason_when_quarantined"),
        enum_check("status", LogStatus),
        enum_check("contract", ContractName),
        *length_check(32, "block_hash", "tx_hash"),
        *length_check(20, "address"),
        SCHEMA,
    )
    block_number: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("derived.blocks.number", ondelete="CASCADE"), primary_key=True
    )
    log_index: Mapped[int] = mapped_column(Integer, primary_key=True)
    block_hash: Mapped[HashBytes]
    tx_hash: Mapped[HashBytes]
    tx_index: Mapped[int] = mapped_column(Integer)
    address: Mapped[AddressBytes]
    contract: Mapped[ContractName] = enum_column(ContractName)
    topics: Mapped[list[bytes]] = mapped_column(ARRAY(BYTEA))
    data: Mapped[bytes] = mapped_column(BYTEA)
    event: Mapped[str | None] = mapped_column(Text)
    args: Mapped[dict[str, Any] | None]
    request_id: Mapped[int | None] = mapped_column(Uint256Type())
    status: Mapped[LogStatus] = enum_column(LogStatus)
    reason: Mapped[str | None] = mapped_column(Text)


class Observation(Base):
    """A fact read from the contracts at one block, which no event carries: `lockedNav`, a window's date, the vault's state."""

    __tablename__ = "observations"
    __table_args__ = (
        UniqueConstraint("kind", "subject", "block_hash"),
        Index("ix_observations_latest", "kind", "subject", "block_number"),
        *length_check(32, "block_hash"),
        SCHEMA,
    )
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    block_number: Mapped[int] = mapped_column(BigInteger)
    block_hash: Mapped[HashBytes]
    block_timestamp: Mapped[Instant]
    data: Mapped[dict[str, Any]]


class Holding(Base):
    """Shares in a holder's wallet, and those the vault keeps locked for them."""

    __tablename__ = "holdings"
    __table_args__ = (*length_check(20, "holder"), *uint256_check("shares", "locked_shares"), SCHEMA)
    holder: Mapped[AddressBytes] = mapped_column(primary_key=True)
    shares: Mapped[Uint256]
    locked_shares: Mapped[Uint256]


class RedemptionRequest(Base):
    """A redemption as the events told it. `lockedNav` is an observation, joined when it is there."""

    __tablename__ = "redemption_requests"
    __table_args__ = (
        enum_check("channel", Channel),
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
            "status NOT IN ('PENDING_APPROVAL','APPROVED','REJECTED') OR requires_approval", name="approval_states"
        ),
        CheckConstraint("status <> 'PENDING' OR NOT requires_approval", name="pending_needs_nobody"),
        CheckConstraint("(status = 'REJECTED') = (rejection_reason IS NOT NULL)", name="reason_when_rejected"),
        Index("ix_redemption_requests_status_settlement", "status", "settlement_at"),
        Index("ix_redemption_requests_owner", "owner", "requested_at"),
        Index("ix_redemption_requests_requested_at", "requested_at"),
        SCHEMA,
    )
    request_id: Mapped[int] = mapped_column(Uint256Type(), primary_key=True, autoincrement=False)
    owner: Mapped[AddressBytes]
    receiver: Mapped[AddressBytes]
    shares: Mapped[Uint256]
    gross_amount: Mapped[Uint256]
    estimated_fee: Mapped[Uint256]
    channel: Mapped[Channel] = enum_column(Channel)
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


class RoleHolder(Base):
    """Who holds which role on which contract, at the cursor's block."""

    __tablename__ = "role_holders"
    __table_args__ = (
        enum_check("contract", ContractName),
        *length_check(32, "role"),
        *length_check(20, "account"),
        SCHEMA,
    )
    contract: Mapped[ContractName] = enum_column(ContractName, primary_key=True)
    role: Mapped[HashBytes] = mapped_column(primary_key=True)
    account: Mapped[AddressBytes] = mapped_column(primary_key=True)


class ContractFlag(Base):
    """On-off states of the contracts: `paused` of each, `emergency_mode` of the vault."""

    __tablename__ = "contract_flags"
    __table_args__ = (enum_check("contract", ContractName), SCHEMA)
    contract: Mapped[ContractName] = enum_column(ContractName, primary_key=True)
    flag: Mapped[str] = mapped_column(Text, primary_key=True)
    enabled: Mapped[bool] = mapped_column(Boolean)
    since_block: Mapped[int] = mapped_column(BigInteger)


INPUTS: Final[tuple[type[Base], ...]] = (Cursor, Block, RawLog, Observation, DailySnapshot, AssetHoldingSnapshot)
"""What was read from the chain. A replay reads these and never rewrites them, but for what a raw log was decoded to."""

PROJECTIONS: Final[tuple[type[Base], ...]] = (Holding, RedemptionRequest, RoleHolder, ContractFlag)
"""What follows from the logs, and what a replay therefore rebuilds: every table of this schema that is no input.

A row here has nothing but what the logs say: its key and its values are functions of the logs up to its block. No number
from a sequence, no time of writing, nothing that depends on how the logs were cut into batches.
"""
