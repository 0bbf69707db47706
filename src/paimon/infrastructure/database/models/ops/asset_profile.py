"""The table of asset profiles."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.asset.profile import COST_BPS_MAX
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import AddressBytes, HashBytes, Instant, length_check


class AssetProfileRow(Base):
    """One version of what people know of an asset; `nonce` is that of the signed action that made it."""

    __tablename__ = "asset_profiles"
    __table_args__ = (
        *length_check(20, "token", "changed_by"),
        *length_check(32, "nonce"),
        CheckConstraint("version > 0", name="version_positive"),
        CheckConstraint("counterparty <> ''", name="counterparty_named"),
        CheckConstraint("days_to_cash >= 0", name="days_to_cash_not_negative"),
        CheckConstraint(f"cost_bps BETWEEN 0 AND {COST_BPS_MAX}", name="cost_bps_range"),
        Index("uq_asset_profiles_nonce", "nonce", unique=True),
        OPS_SCHEMA,
    )
    token: Mapped[AddressBytes] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    counterparty: Mapped[str] = mapped_column(Text)
    days_to_cash: Mapped[int] = mapped_column(Integer)
    cost_bps: Mapped[int] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(Text)
    changed_by: Mapped[AddressBytes]
    changed_at: Mapped[Instant] = mapped_column(server_default=func.now())
    nonce: Mapped[HashBytes] = mapped_column(ForeignKey("ops.signed_actions.nonce"))
