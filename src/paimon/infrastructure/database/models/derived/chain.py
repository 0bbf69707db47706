"""Tables of what was read from the chain: cursor, blocks, raw logs, observations, tracked contracts and range proofs."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.chain.range_proof import ProofLevel
from paimon.domain.chain.tracked_contracts import ContractOrigin
from paimon.domain.events.log_status import LogStatus
from paimon.domain.kernel.chain import ContractName
from paimon.infrastructure.database.models.base import DERIVED_SCHEMA, Base
from paimon.infrastructure.database.types import (
    AddressBytes,
    HashBytes,
    Instant,
    Uint256Type,
    enum_check,
    enum_column,
    length_check,
)


class CursorRow(Base):
    """The last recorded block: one row, moved only by compare-and-set on (hash, epoch)."""

    __tablename__ = "cursor"
    __table_args__ = (
        CheckConstraint("id = 1", name="single_row"),
        *length_check(32, "hash"),
        DERIVED_SCHEMA,
    )
    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, default=1)
    number: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[HashBytes]
    timestamp: Mapped[Instant]
    epoch: Mapped[int] = mapped_column(BigInteger)


class BlockRow(Base):
    """A final block's header. Recent blocks are all kept; of older ones, those with logs or observations and some between."""

    __tablename__ = "blocks"
    __table_args__ = (
        *length_check(32, "hash", "parent_hash"),
        CheckConstraint("previous_kept_number < number", name="previous_recorded_block_is_earlier"),
        DERIVED_SCHEMA,
    )
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[HashBytes] = mapped_column(unique=True)
    parent_hash: Mapped[HashBytes]
    timestamp: Mapped[Instant]
    previous_kept_number: Mapped[int] = mapped_column(BigInteger)
    """The number of the kept block before this one, so that a lost block is noticed."""
    recorded_at: Mapped[Instant] = mapped_column(server_default=func.now())


class RawLogRow(Base):
    """One log exactly as the node returned it, with its decoded event."""

    __tablename__ = "raw_logs"
    __table_args__ = (
        UniqueConstraint("block_hash", "log_index"),
        Index(None, "tx_hash"),
        Index("ix_raw_logs_request", "request_id", "block_number", "log_index", postgresql_where="request_id IS NOT NULL"),
        Index("ix_raw_logs_unapplied", "block_number", postgresql_where="status IN ('QUARANTINED', 'SKIPPED')"),
        Index("ix_raw_logs_unknown", "address", postgresql_where="status = 'UNKNOWN'"),
        CheckConstraint("(status = 'QUARANTINED') = (reason IS NOT NULL)", name="reason_when_quarantined"),
        enum_check("status", LogStatus),
        enum_check("contract", ContractName),
        *length_check(32, "block_hash", "tx_hash"),
        *length_check(20, "address"),
        DERIVED_SCHEMA,
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


class ObservationRow(Base):
    """A value read from the contracts at one block, which no event has: `lockedNav`, a window's date, the vault's state."""

    __tablename__ = "observations"
    __table_args__ = (
        UniqueConstraint("kind", "subject", "block_hash"),
        Index("ix_observations_latest", "kind", "subject", "block_number"),
        Index(None, "block_number"),
        *length_check(32, "block_hash"),
        DERIVED_SCHEMA,
    )
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    block_number: Mapped[int] = mapped_column(BigInteger)
    block_hash: Mapped[HashBytes]
    block_timestamp: Mapped[Instant]
    data: Mapped[dict[str, Any]]


class TrackedContractRow(Base):
    """A contract whose logs are fetched, from the beginning of block `since_block`. There is one vault, and one asset of it."""

    __tablename__ = "tracked_contracts"
    __table_args__ = (
        enum_check("contract", ContractName),
        enum_check("origin", ContractOrigin),
        *length_check(20, "address"),
        CheckConstraint("origin <> 'vault_asset' OR contract = 'ERC20'", name="vault_asset_is_erc20"),
        CheckConstraint(
            "(origin = 'settings') = (contract IN ('Vault','RedemptionManager','AssetController'))", name="core_from_settings"
        ),
        Index("uq_tracked_contracts_core", "contract", unique=True, postgresql_where="origin = 'settings'"),
        Index("uq_tracked_contracts_asset", "origin", unique=True, postgresql_where="origin = 'vault_asset'"),
        DERIVED_SCHEMA,
    )
    address: Mapped[AddressBytes] = mapped_column(primary_key=True)
    contract: Mapped[ContractName] = enum_column(ContractName)
    origin: Mapped[ContractOrigin] = enum_column(ContractOrigin)
    since_block: Mapped[int] = mapped_column(BigInteger)


class RangeProofRow(Base):
    """A range of recorded blocks with the proof level of its completeness. Blocks in no row were recorded without proof.

    Adjacent ranges of one level are one row, so the table grows with the incidents, not with the chain.
    """

    __tablename__ = "range_proofs"
    __table_args__ = (
        CheckConstraint("first_block <= last_block", name="blocks_in_order"),
        enum_check("level", ProofLevel),
        ExcludeConstraint(
            (text("int8range(first_block, last_block, '[]')"), "&&"), name="ex_range_proofs_blocks", using="gist"
        ),
        DERIVED_SCHEMA,
    )
    first_block: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    last_block: Mapped[int] = mapped_column(BigInteger)
    level: Mapped[ProofLevel] = enum_column(ProofLevel)


class ChainTransactionRow(Base):
    """A transaction with logs of tracked contracts: its contracts and events, for lists and filters."""

    __tablename__ = "transactions"
    __table_args__ = (
        Index(None, "tx_hash", unique=True),
        Index("ix_transactions_at", "at"),
        Index("ix_transactions_contracts", "contracts", postgresql_using="gin"),
        Index("ix_transactions_events", "events", postgresql_using="gin"),
        *length_check(32, "tx_hash"),
        CheckConstraint("logs > 0 AND cardinality(contracts) > 0", name="has_logs"),
        DERIVED_SCHEMA,
    )
    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tx_index: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    tx_hash: Mapped[HashBytes]
    at: Mapped[Instant]
    logs: Mapped[int] = mapped_column(Integer)
    contracts: Mapped[list[str]] = mapped_column(ARRAY(Text))
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
