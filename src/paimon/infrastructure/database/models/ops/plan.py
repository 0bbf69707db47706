"""Tables of plans as they were submitted: the selected wallet and why, the amount of each call, and the signature.

The status of a plan is stored nowhere. It follows from what carries the plan out: the intents of its calls, or its Safe's
proposal.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, SmallInteger, Text, func
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column, relationship

from paimon.domain.kernel.chain import ContractName, Hash32
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
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


class PlanRow(Base):
    """One piece of a plan. One idempotency key stands for one payload; all pieces of one name are one plan."""

    __tablename__ = "plans"
    __table_args__ = (
        enum_check("wallet", PlanWallet),
        *length_check(32, "payload_hash", "proposal", "nonce"),
        *length_check(20, "requested_by"),
        *uint256_check("amount"),
        CheckConstraint("(wallet = 'hot') = (proposal IS NULL)", name="proposal_unless_hot"),
        Index("ix_plans_created_at", "created_at", "id"),
        Index("ix_plans_name", "name"),
        Index("ix_plans_wallet", "wallet", "created_at"),
        OPS_SCHEMA,
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(Text, unique=True)
    payload_hash: Mapped[HashBytes]
    name: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    wallet: Mapped[PlanWallet] = enum_column(PlanWallet)
    amount: Mapped[Uint256]
    # The reasons against every smaller wallet, as text.
    rejected_wallets: Mapped[list[Any]]
    proposal: Mapped[Hash32 | None] = mapped_column(BYTEA, ForeignKey("ops.safe_proposals.hash"), unique=True)
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())
    # The plan as it was signed, verifiable by anyone without this system. The signer requires it for every movement.
    requested_by: Mapped[AddressBytes]
    nonce: Mapped[HashBytes] = mapped_column(unique=True)
    typed_data: Mapped[dict[str, Any]]
    signature: Mapped[bytes] = mapped_column(BYTEA)
    signature_expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    calls: Mapped[list["PlanCallRow"]] = relationship(lazy="raise", order_by="PlanCallRow.call_index")
    safe_proposal: Mapped[SafeProposalRow | None] = relationship(lazy="raise")


class PlanCallRow(Base):
    """One call of a plan with its amount, and its intent if the hot key carries out the plan."""

    __tablename__ = "plan_calls"
    __table_args__ = (
        enum_check("contract", ContractName),
        *length_check(20, "to_address"),
        *uint256_check("amount"),
        CheckConstraint("call_index >= 0", name="call_index_not_negative"),
        OPS_SCHEMA,
    )
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("ops.plans.id"), primary_key=True)
    call_index: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    contract: Mapped[ContractName] = enum_column(ContractName)
    function: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    to_address: Mapped[AddressBytes]
    data: Mapped[bytes] = mapped_column(BYTEA)
    amount: Mapped[Uint256]
    intent_id: Mapped[UUID | None] = mapped_column(ForeignKey("ops.transaction_intents.id"), unique=True)
    intent: Mapped[IntentRow | None] = relationship(lazy="raise")
