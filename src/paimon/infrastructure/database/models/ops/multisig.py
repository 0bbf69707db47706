"""Tables of the fund's Safes, their proposals, and the owners' signatures."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    SmallInteger,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.orm import Mapped, mapped_column, relationship

from paimon.domain.kernel.chain import Hash32
from paimon.domain.transaction.safe_proposal import ProposalOutcome
from paimon.domain.transaction.safe_transaction import OWNER_SIGNATURE_BYTES, SafeName
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import (
    AddressBytes,
    HashBytes,
    Instant,
    Uint256,
    enum_check,
    enum_column,
    length_check,
    uint256_check,
)


class SafeRow(Base):
    """A Safe as it was at the final block of its last sync. Its row is the lock under which its nonces are reserved.

    `nonce` is the chain's; `next_nonce` is the first nonce that no proposal here has, and never goes down.
    """

    __tablename__ = "safes"
    __table_args__ = (
        enum_check("name", SafeName),
        *length_check(20, "address"),
        *length_check(32, "seen_hash"),
        CheckConstraint("next_nonce >= nonce AND nonce >= 0", name="nonces_in_order"),
        CheckConstraint("(failing_since IS NULL) = (last_error IS NULL)", name="last_error_with_time"),
        CheckConstraint("threshold BETWEEN 1 AND cardinality(owners)", name="threshold_within_owners"),
        OPS_SCHEMA,
    )
    address: Mapped[AddressBytes] = mapped_column(primary_key=True)
    name: Mapped[SafeName] = enum_column(SafeName)
    owners: Mapped[list[bytes]] = mapped_column(ARRAY(BYTEA))
    threshold: Mapped[int] = mapped_column(SmallInteger)
    nonce: Mapped[int] = mapped_column(BigInteger)
    next_nonce: Mapped[int] = mapped_column(BigInteger)
    seen_block: Mapped[int] = mapped_column(BigInteger)
    seen_hash: Mapped[HashBytes]
    seen_at: Mapped[Instant] = mapped_column(server_default=func.now())
    failing_since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_error: Mapped[str | None] = mapped_column(Text)


class SafeProposalRow(Base):
    """One transaction proposed to a Safe, identified by the hash that its owners sign. The chain decides its outcome."""

    __tablename__ = "safe_proposals"
    __table_args__ = (
        enum_check("outcome", ProposalOutcome),
        *length_check(20, "to_address", "proposed_by"),
        *length_check(32, "hash", "executed_tx_hash"),
        *uint256_check("value_wei"),
        CheckConstraint("nonce >= 0", name="nonce_not_negative"),
        CheckConstraint("operation IN (0, 1)", name="operation_known"),
        CheckConstraint("expires_at > created_at", name="expires_after_creation"),
        CheckConstraint("(outcome IS NULL) = (closed_at IS NULL)", name="closed_at_with_outcome"),
        CheckConstraint("(outcome IS NULL) = (executed_tx_hash IS NULL)", name="executed_tx_hash_with_outcome"),
        Index("ix_safe_proposals_nonce", "safe", "nonce"),
        OPS_SCHEMA,
    )
    hash: Mapped[HashBytes] = mapped_column(primary_key=True)
    safe: Mapped[AddressBytes] = mapped_column(ForeignKey("ops.safes.address"))
    nonce: Mapped[int] = mapped_column(BigInteger)
    to_address: Mapped[AddressBytes]
    value_wei: Mapped[Uint256]
    data: Mapped[bytes] = mapped_column(BYTEA)
    operation: Mapped[int] = mapped_column(SmallInteger)
    idempotency_key: Mapped[str] = mapped_column(Text, unique=True)
    reason: Mapped[str] = mapped_column(Text)
    # NULL: a rule of this system.
    proposed_by: Mapped[bytes | None] = mapped_column(BYTEA)
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())
    expires_at: Mapped[Instant]
    outcome: Mapped[ProposalOutcome | None] = enum_column(ProposalOutcome, nullable=True)
    # The transaction that used the nonce, ours or not.
    executed_tx_hash: Mapped[Hash32 | None] = mapped_column(BYTEA)
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    signatures: Mapped[list["SafeSignatureRow"]] = relationship(lazy="raise", order_by="SafeSignatureRow.signed_at")
    safe_row: Mapped[SafeRow] = relationship(lazy="raise")


class SafeSignatureRow(Base):
    """One owner's signature of one proposal. It counts if the signer owns the Safe when the signature is used."""

    __tablename__ = "safe_signatures"
    __table_args__ = (
        *length_check(20, "owner", "submitted_by"),
        CheckConstraint(f"is_contract_signature OR octet_length(signature) = {OWNER_SIGNATURE_BYTES}", name="signature_length"),
        OPS_SCHEMA,
    )
    proposal: Mapped[HashBytes] = mapped_column(ForeignKey("ops.safe_proposals.hash"), primary_key=True)
    owner: Mapped[AddressBytes] = mapped_column(primary_key=True)
    signature: Mapped[bytes] = mapped_column(BYTEA)
    is_contract_signature: Mapped[bool] = mapped_column(Boolean)
    # The signed-in user who submitted the signature; for a contract's signature another wallet than the owner.
    submitted_by: Mapped[AddressBytes]
    signed_at: Mapped[Instant] = mapped_column(server_default=func.now())


__all__ = ["SafeProposalRow", "SafeRow", "SafeSignatureRow"]
