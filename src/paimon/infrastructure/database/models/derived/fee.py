"""Tables of fees: accounts and their entries."""

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.kernel.chain import Address
from paimon.domain.vault.fees import FeeEntryType, FeeKind
from paimon.infrastructure.database.models.base import DERIVED_SCHEMA, Base
from paimon.infrastructure.database.models.derived.event_columns import EventRowColumns, event_row_checks
from paimon.infrastructure.database.types import (
    Uint256,
    Uint256Type,
    enum_check,
    enum_column,
    length_check,
    uint256_check,
)


class FeeAccountRow(Base):
    """The totals of one kind of fee. What is owed is accrued minus released."""

    __tablename__ = "fee_accounts"
    __table_args__ = (
        enum_check("kind", FeeKind),
        *uint256_check("accrued", "released", "paid"),
        CheckConstraint("released <= accrued", name="released_within_accrued"),
        DERIVED_SCHEMA,
    )
    kind: Mapped[FeeKind] = enum_column(FeeKind, primary_key=True)
    accrued: Mapped[Uint256]
    released: Mapped[Uint256]
    paid: Mapped[Uint256]


class FeeEntryRow(EventRowColumns, Base):
    """One accrual or payment of one kind of fee. One Transfer may pay two kinds, so the kind is part of the key."""

    __tablename__ = "fee_entries"
    __table_args__ = (
        *event_row_checks(),
        enum_check("kind", FeeKind),
        enum_check("entry_type", FeeEntryType),
        *length_check(20, "recipient"),
        *uint256_check("amount", "base", "period_seconds", "high_water_mark"),
        CheckConstraint("(entry_type = 'PAID') = (recipient IS NOT NULL)", name="recipient_when_paid"),
        CheckConstraint("entry_type <> 'RELEASED' OR kind = 'REDEMPTION'", name="released_only_for_redemption"),
        CheckConstraint("(base IS NOT NULL) = (entry_type = 'ACCRUED' AND kind <> 'REDEMPTION')", name="base_when_computed"),
        CheckConstraint(
            "(high_water_mark IS NOT NULL) = (entry_type = 'ACCRUED' AND kind = 'PERFORMANCE')",
            name="high_water_mark_for_performance",
        ),
        CheckConstraint(
            "(period_seconds IS NOT NULL) = (entry_type = 'ACCRUED' AND kind = 'MANAGEMENT')", name="period_for_management"
        ),
        Index("ix_fee_entries_at", "at"),
        DERIVED_SCHEMA,
    )
    kind: Mapped[FeeKind] = enum_column(FeeKind, primary_key=True)
    entry_type: Mapped[FeeEntryType] = enum_column(FeeEntryType)
    amount: Mapped[Uint256]
    base: Mapped[int | None] = mapped_column(Uint256Type())
    period_seconds: Mapped[int | None] = mapped_column(Uint256Type())
    high_water_mark: Mapped[int | None] = mapped_column(Uint256Type())
    recipient: Mapped[Address | None] = mapped_column(BYTEA)
