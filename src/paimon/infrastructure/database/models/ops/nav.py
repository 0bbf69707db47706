"""NAV as this house stands behind it. Owned: whether a point was published is a decision on the books as they were then,
and no replay can take it again.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import (
    HashBytes,
    Instant,
    Uint256,
    enum_check,
    enum_column,
    length_check,
    uint256_check,
)


class NavStatus(StrEnum):
    PUBLISHED = "PUBLISHED"
    WITHHELD = "WITHHELD"  # a material difference was open; the next clean comparison releases it
    ORPHANED = "ORPHANED"  # was published, and its block is no more: kept as what this house once said


class NavPointRow(Base):
    """One official NAV, or one that is held back with its reason. A published one never changes, unless its block does."""

    __tablename__ = "nav_points"
    __table_args__ = (
        enum_check("status", NavStatus),
        *length_check(32, "block_hash"),
        *uint256_check("net_assets", "effective_supply", "nav_per_share"),
        CheckConstraint("(status = 'WITHHELD') = (published_at IS NULL)", name="published_at_unless_withheld"),
        CheckConstraint("status <> 'WITHHELD' OR withheld_reason IS NOT NULL", name="reason_when_withheld"),
        Index("ix_nav_points_time", "time"),
        Index("ix_nav_points_withheld", "block_number", postgresql_where="status = 'WITHHELD'"),
        OPS_SCHEMA,
    )
    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    block_hash: Mapped[HashBytes] = mapped_column(primary_key=True)
    time: Mapped[Instant]
    net_assets: Mapped[Uint256]
    effective_supply: Mapped[Uint256]
    nav_per_share: Mapped[Uint256]
    status: Mapped[NavStatus] = enum_column(NavStatus)
    withheld_reason: Mapped[str | None] = mapped_column(Text)
    reconciliation_id: Mapped[int] = mapped_column(ForeignKey("ops.reconciliations.id"))
    decided_at: Mapped[Instant] = mapped_column(server_default=func.now())
    published_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
