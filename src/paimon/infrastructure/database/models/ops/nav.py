"""The table of official NAV points.

It is in `ops`: to publish a point is a decision on the projections at that time, which a replay cannot repeat.
"""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.risk.nav_publication import NavStatus
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


class NavPointRow(Base):
    """One official NAV point: published, or withheld with its reason. A published point changes only if it is orphaned."""

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
