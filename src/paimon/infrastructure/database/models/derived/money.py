"""Money: every token Transfer from or to the vault with its purpose, and the fees."""

from sqlalchemy import CheckConstraint, Index, Integer
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.asset.token_transfer import Direction, Purpose
from paimon.domain.kernel.chain import Address
from paimon.domain.vault.fees import FeeKind, FeeStep
from paimon.infrastructure.database.models.base import Base
from paimon.infrastructure.database.models.derived.chain import SCHEMA
from paimon.infrastructure.database.models.derived.fact import FactColumns, fact_checks
from paimon.infrastructure.database.types import (
    AddressBytes,
    Uint256,
    Uint256Type,
    enum_check,
    enum_column,
    length_check,
    uint256_check,
)


class TokenTransferRow(FactColumns, Base):
    """One ERC-20 Transfer from or to the vault. `told_by` is the log of its block that tells what it was for."""

    __tablename__ = "token_transfers"
    __table_args__ = (
        *fact_checks(),
        enum_check("direction", Direction),
        enum_check("purpose", Purpose),
        *length_check(20, "token", "sender", "receiver"),
        *uint256_check("amount"),
        CheckConstraint("purpose <> 'NOTHING' OR amount = 0", name="nothing_is_zero"),
        CheckConstraint("(direction = 'WITHIN') = (sender = receiver)", name="within_one_address"),
        CheckConstraint(
            "(told_by IS NULL) = (purpose IN ('FEE_COLLECTION','EMERGENCY_WITHDRAWAL','NOTHING','UNEXPLAINED'))",
            name="told_by_a_log",
        ),
        Index("ix_token_transfers_token", "token", "block_number"),
        Index("ix_token_transfers_at", "at"),
        Index(
            "ix_token_transfers_alarming",
            "block_number",
            postgresql_where="purpose IN ('EMERGENCY_WITHDRAWAL','UNEXPLAINED')",
        ),
        SCHEMA,
    )
    token: Mapped[AddressBytes]
    sender: Mapped[AddressBytes]
    receiver: Mapped[AddressBytes]
    direction: Mapped[Direction] = enum_column(Direction)
    amount: Mapped[Uint256]
    purpose: Mapped[Purpose] = enum_column(Purpose)
    told_by: Mapped[int | None] = mapped_column(Integer)


class TokenFlowRow(Base):
    """What came into the vault and went out of it, by token, since the token is followed."""

    __tablename__ = "token_flows"
    __table_args__ = (*length_check(20, "token"), *uint256_check("received", "sent"), SCHEMA)
    token: Mapped[AddressBytes] = mapped_column(primary_key=True)
    received: Mapped[Uint256]
    sent: Mapped[Uint256]


class FeeAccountRow(Base):
    """One kind of fee's totals. Owed is what was accrued less what was released."""

    __tablename__ = "fee_accounts"
    __table_args__ = (
        enum_check("kind", FeeKind),
        *uint256_check("accrued", "released", "paid"),
        CheckConstraint("released <= accrued", name="released_of_accrued"),
        SCHEMA,
    )
    kind: Mapped[FeeKind] = enum_column(FeeKind, primary_key=True)
    accrued: Mapped[Uint256]
    released: Mapped[Uint256]
    paid: Mapped[Uint256]


class FeeEntryRow(FactColumns, Base):
    """One step of one kind of fee. A collection pays two kinds by one Transfer, so the kind is part of the key."""

    __tablename__ = "fee_entries"
    __table_args__ = (
        *fact_checks(),
        enum_check("kind", FeeKind),
        enum_check("step", FeeStep),
        *length_check(20, "recipient"),
        *uint256_check("amount", "base", "period_seconds", "high_water_mark"),
        CheckConstraint("(step = 'PAID') = (recipient IS NOT NULL)", name="recipient_when_paid"),
        CheckConstraint("step <> 'RELEASED' OR kind = 'REDEMPTION'", name="only_redemption_is_released_apart"),
        CheckConstraint("(base IS NOT NULL) = (step = 'ACCRUED' AND kind <> 'REDEMPTION')", name="base_when_computed"),
        CheckConstraint(
            "(high_water_mark IS NOT NULL) = (step = 'ACCRUED' AND kind = 'PERFORMANCE')", name="mark_of_performance"
        ),
        CheckConstraint(
            "(period_seconds IS NOT NULL) = (step = 'ACCRUED' AND kind = 'MANAGEMENT')", name="period_of_management"
        ),
        Index("ix_fee_entries_at", "at"),
        SCHEMA,
    )
    kind: Mapped[FeeKind] = enum_column(FeeKind, primary_key=True)
    step: Mapped[FeeStep] = enum_column(FeeStep)
    amount: Mapped[Uint256]
    base: Mapped[int | None] = mapped_column(Uint256Type())
    period_seconds: Mapped[int | None] = mapped_column(Uint256Type())
    high_water_mark: Mapped[int | None] = mapped_column(Uint256Type())
    recipient: Mapped[Address | None] = mapped_column(BYTEA)
