"""Tables of sending: wallets, intents and attempts. They hold what the chain does not, so no row is ever removed."""

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
from paimon.domain.kernel.units import UINT256_MAX
from paimon.domain.transaction.intent_subject import SubjectType
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

_SUBJECT_TYPE_OF_KIND = (
    "subject_type = CASE kind WHEN 'execute_safe' THEN 'safe_transaction'"
    " WHEN 'plan_step' THEN 'plan_call' ELSE 'redemption' END"
)
_SUBJECT_ID_FORM = (
    "CASE WHEN subject_type = 'safe_transaction' THEN subject_id ~ '^0x[0-9a-f]{64}$'"
    " WHEN subject_type = 'plan_call' THEN subject_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9]{1,3}$'"
    f" WHEN subject_id ~ '^(0|[1-9][0-9]{{0,77}})$' THEN CAST(subject_id AS numeric) <= {UINT256_MAX} ELSE false END"
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
    # The state on chain as the driver last read it. Readers of this row ask no node.
    seen_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    seen_block: Mapped[int | None] = mapped_column(BigInteger)
    latest_nonce: Mapped[int | None] = mapped_column(BigInteger)
    final_nonce: Mapped[int | None] = mapped_column(BigInteger)
    balance_wei: Mapped[int | None] = mapped_column(Uint256Type())
    # The first nonce of the hot wallet that is not yet known to carry out a signed plan.
    plans_checked_nonce: Mapped[int | None] = mapped_column(BigInteger)
    # The time of the first failed drive in a row, and the error of the last one.
    failing_since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_error: Mapped[str | None] = mapped_column(Text)


class IntentRow(Base):
    """Something that must happen on chain once. One idempotency key stands for one payload."""

    __tablename__ = "transaction_intents"
    __table_args__ = (
        enum_check("kind", IntentKind),
        enum_check("status", IntentStatus),
        CheckConstraint("aborting_as IN ('CANCELLED','EXPIRED')", name="aborting_as_known"),
        CheckConstraint("(aborting_as IS NULL) = (abort_reason IS NULL)", name="abort_reason_when_aborting"),
        *length_check(20, "wallet", "to_address"),
        *length_check(32, "payload_hash"),
        *uint256_check("value_wei"),
        enum_check("subject_type", SubjectType),
        CheckConstraint(_SUBJECT_TYPE_OF_KIND, name="subject_type_of_kind"),
        CheckConstraint(_SUBJECT_ID_FORM, name="subject_id_form"),
        CheckConstraint("(status IN ('QUEUED','SIMULATED','SENDING')) = (closed_at IS NULL)", name="closed_when_terminal"),
        Index("ix_transaction_intents_created_at", "created_at", "id"),
        Index("ix_transaction_intents_open", "wallet", "created_at", postgresql_where="closed_at IS NULL"),
        Index("ix_transaction_intents_closed_at", "closed_at"),
        Index("ix_transaction_intents_subject", "subject_type", "subject_id"),
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
    subject_type: Mapped[SubjectType] = enum_column(SubjectType)
    subject_id: Mapped[str] = mapped_column(Text)
    ticket_id: Mapped[str | None] = mapped_column(ForeignKey("ops.approval_tickets.id"))
    status: Mapped[IntentStatus] = enum_column(IntentStatus, server_default=IntentStatus.QUEUED.value)
    unfunded: Mapped[bool] = mapped_column(Boolean, server_default="false")
    reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())
    next_check_at: Mapped[Instant] = mapped_column(server_default=func.now())
    unknown_since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    # The end that an operator or the deadline asks for. In flight, only self-sends replace the transaction from then on.
    aborting_as: Mapped[IntentStatus | None] = enum_column(IntentStatus)
    abort_reason: Mapped[str | None] = mapped_column(Text)
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    attempts: Mapped[list["AttemptRow"]] = relationship(lazy="raise", order_by="AttemptRow.created_at")


class AttemptRow(Base):
    """One signed transaction. Its bytes are stored before a node sees them."""

    __tablename__ = "transaction_attempts"
    __table_args__ = (
        enum_check("status", AttemptStatus),
        enum_check("channel", BroadcastChannel),
        *length_check(20, "wallet"),
        *length_check(32, "hash"),
        *uint256_check("max_fee_wei", "priority_fee_wei"),
        # At most one attempt of a wallet is signed but not yet acknowledged by a node.
        Index("uq_transaction_attempts_unacknowledged", "wallet", unique=True, postgresql_where="status = 'SIGNED'"),
        # At most one attempt per nonce is mined.
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
    is_cancellation: Mapped[bool] = mapped_column(Boolean, server_default="false")
    status: Mapped[AttemptStatus] = enum_column(AttemptStatus, server_default=AttemptStatus.SIGNED.value)
    channel: Mapped[BroadcastChannel] = enum_column(BroadcastChannel, server_default=BroadcastChannel.PUBLIC.value)
    # The final block at the time of signing. The wait for a private endpoint is counted from here.
    signed_at_block: Mapped[int | None] = mapped_column(BigInteger)
    answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())
    broadcast_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    block_number: Mapped[int | None] = mapped_column(BigInteger)
    block_hash: Mapped[Hash32 | None] = mapped_column(BYTEA)
    succeeded: Mapped[bool | None] = mapped_column(Boolean)
    gas_used: Mapped[int | None] = mapped_column(BigInteger)
