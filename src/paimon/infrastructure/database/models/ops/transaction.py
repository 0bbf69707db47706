"""What people decided and this system set out to do. Nothing here can be rebuilt from the chain, so nothing is lost."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column, relationship

from paimon.domain.kernel.chain import Hash32
from paimon.domain.transaction.lifecycle import AttemptStatus, BroadcastChannel, IntentKind, IntentStatus, WalletName
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
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


class WalletRow(Base):
    """A sending key. Its row is the lock under which nonces are given out, in order and without gaps."""

    __tablename__ = "wallets"
    __table_args__ = (
        enum_check("name", WalletName),
        *length_check(20, "address"),
        CheckConstraint("next_nonce >= 0", name="nonce_not_negative"),
        *uint256_check("balance_wei"),
        CheckConstraint(
            "num_nonnulls(seen_at, seen_block, latest_nonce, final_nonce, balance_wei) IN (0, 5)", name="chain_state_complete"
        ),
        CheckConstraint("(failing_since IS NULL) = (last_error IS NULL)", name="last_error_with_time"),
        OPS_SCHEMA,
    )
    address: Mapped[AddressBytes] = mapped_column(primary_key=True)
    name: Mapped[WalletName] = enum_column(WalletName)
    next_nonce: Mapped[int] = mapped_column(BigInteger)
    fault: Mapped[str | None] = mapped_column(Text)
    # What its driver last saw on chain, and when: whoever shows the wallet does not ask the node.
    seen_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    seen_block: Mapped[int | None] = mapped_column(BigInteger)
    latest_nonce: Mapped[int | None] = mapped_column(BigInteger)
    final_nonce: Mapped[int | None] = mapped_column(BigInteger)
    balance_wei: Mapped[int | None] = mapped_column(Uint256Type())
    # Since when no drive got to its end, and what held up the last one.
    failing_since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_error: Mapped[str | None] = mapped_column(Text)


class IntentRow(Base):
    """Something that must happen on chain once. The key says what for; the same key with another payload is refused."""

    __tablename__ = "transaction_intents"
    __table_args__ = (
        enum_check("kind", IntentKind),
        enum_check("status", IntentStatus),
        CheckConstraint("aborting_as IN ('CANCELLED','EXPIRED')", name="aborting_as_known"),
        CheckConstraint("(aborting_as IS NULL) = (abort_reason IS NULL)", name="abort_reason_when_aborting"),
        *length_check(20, "wallet", "to_address"),
        *length_check(32, "payload_hash"),
        *uint256_check("value_wei", "request_id"),
        CheckConstraint("(status IN ('QUEUED','SIMULATED','SENDING')) = (closed_at IS NULL)", name="closed_when_terminal"),
        Index("ix_transaction_intents_open", "wallet", "created_at", postgresql_where="closed_at IS NULL"),
        Index("ix_transaction_intents_request", "request_id"),
        OPS_SCHEMA,
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    idempotency_key: Mapped[str] = mapped_column(Text, unique=True)
    payload_hash: Mapped[HashBytes]
    kind: Mapped[IntentKind] = enum_column(IntentKind)
    wallet: Mapped[AddressBytes] = mapped_column(ForeignKey("ops.wallets.address"))
    to_address: Mapped[AddressBytes]
    data: Mapped[bytes] = mapped_column(BYTEA)
    value_wei: Mapped[Uint256]
    request_id: Mapped[Uint256]
    ticket_id: Mapped[str | None] = mapped_column(ForeignKey("ops.approval_tickets.id"))
    status: Mapped[IntentStatus] = enum_column(IntentStatus, server_default=IntentStatus.QUEUED.value)
    unfunded: Mapped[bool] = mapped_column(Boolean, server_default="false")
    reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())
    next_check_at: Mapped[Instant] = mapped_column(server_default=func.now())
    unknown_since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    # Wanted as its end, by a person or the deadline: while it is in flight, only self-sends replace its transaction.
    aborting_as: Mapped[IntentStatus | None] = enum_column(IntentStatus)
    abort_reason: Mapped[str | None] = mapped_column(Text)
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    attempts: Mapped[list["AttemptRow"]] = relationship(lazy="raise", order_by="AttemptRow.created_at")


class AttemptRow(Base):
    """One signed transaction. Its bytes are here before any node has seen them."""

    __tablename__ = "transaction_attempts"
    __table_args__ = (
        enum_check("status", AttemptStatus),
        enum_check("channel", BroadcastChannel),
        *length_check(20, "wallet"),
        *length_check(32, "hash"),
        *uint256_check("max_fee_wei", "priority_fee_wei"),
        # At most one attempt of a wallet is signed but not yet acknowledged by a node.
        Index("uq_transaction_attempts_unacknowledged", "wallet", unique=True, postgresql_where="status = 'SIGNED'"),
        # At most one attempt per nonce is the one that counts.
        Index(
            "uq_transaction_attempts_mined_nonce",
            "wallet",
            "nonce",
            unique=True,
            postgresql_where="status IN ('MINED','FINAL')",
        ),
        Index("ix_transaction_attempts_open", "wallet", postgresql_where="status IN ('SIGNED','BROADCAST','MINED')"),
        Index("ix_transaction_attempts_intent", "intent_id"),
        CheckConstraint("channel = 'public' OR signed_at_block IS NOT NULL", name="signed_at_block_when_private"),
        CheckConstraint("(status IN ('MINED','FINAL')) <= (block_hash IS NOT NULL)", name="block_hash_when_mined"),
        OPS_SCHEMA,
    )
    hash: Mapped[HashBytes] = mapped_column(primary_key=True)
    intent_id: Mapped[UUID] = mapped_column(ForeignKey("ops.transaction_intents.id"))
    wallet: Mapped[AddressBytes] = mapped_column(ForeignKey("ops.wallets.address"))
    nonce: Mapped[int] = mapped_column(BigInteger)
    gas_limit: Mapped[int] = mapped_column(BigInteger)
    max_fee_wei: Mapped[Uint256]
    priority_fee_wei: Mapped[Uint256]
    raw: Mapped[bytes] = mapped_column(BYTEA)
    # True: not the intent's call but a zero-value self-send that only uses up the nonce.
    cancels: Mapped[bool] = mapped_column(Boolean, server_default="false")
    status: Mapped[AttemptStatus] = enum_column(AttemptStatus, server_default=AttemptStatus.SIGNED.value)
    channel: Mapped[BroadcastChannel] = enum_column(BroadcastChannel, server_default=BroadcastChannel.PUBLIC.value)
    # The final block when it was signed for a private endpoint; so many blocks later the policy may let it go public.
    signed_at_block: Mapped[int | None] = mapped_column(BigInteger)
    answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())
    broadcast_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    block_number: Mapped[int | None] = mapped_column(BigInteger)
    block_hash: Mapped[Hash32 | None] = mapped_column(BYTEA)
    succeeded: Mapped[bool | None] = mapped_column(Boolean)
    gas_used: Mapped[int | None] = mapped_column(BigInteger)
