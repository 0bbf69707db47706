"""Tables of the fund over time: one row per snapshot, and one per snapshot and asset.

The rows are made from the `fund_snapshot` observations and written with them, so that a query over months reads columns, not
documents. Every key begins with the block's time, so that the tables can become TimescaleDB hypertables. `daily_snapshots`
are kept longer than the other table; therefore no foreign key refers to them.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, Index, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from paimon.infrastructure.database.models.base import DERIVED_SCHEMA, Base
from paimon.infrastructure.database.types import (
    AddressBytes,
    HashBytes,
    Instant,
    Uint256,
    Uint256Type,
    length_check,
    uint256_check,
)


class DailySnapshotRow(Base):
    """The fund's figures at one block. Despite the table's name there is one row per snapshot, not one per day."""

    __tablename__ = "daily_snapshots"
    __table_args__ = (
        *length_check(32, "block_hash"),
        *uint256_check("cash", "layer1_value", "layer2_value", "layer3_value", "gross_assets", "net_assets"),
        *uint256_check("nav_per_share", "total_supply", "locked_shares", "redemption_liability"),
        *uint256_check("withdrawable_redemption_fees", "pending_fees", "high_water_mark", "in_transit"),
        *uint256_check("contract_total_assets", "contract_share_price"),
        CheckConstraint("gross_assets = layer1_value + layer2_value + layer3_value", name="gross_assets_sum_tiers"),
        CheckConstraint("locked_shares <= total_supply", name="locked_within_supply"),
        Index("ix_daily_snapshots_block_number", "block_number"),
        DERIVED_SCHEMA,
    )
    time: Mapped[Instant] = mapped_column(primary_key=True)
    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    block_hash: Mapped[HashBytes]
    cash: Mapped[Uint256]
    layer1_value: Mapped[Uint256]
    layer2_value: Mapped[Uint256]
    layer3_value: Mapped[Uint256]
    gross_assets: Mapped[Uint256]
    net_assets: Mapped[Uint256]
    nav_per_share: Mapped[Uint256]
    total_supply: Mapped[Uint256]
    locked_shares: Mapped[Uint256]
    redemption_liability: Mapped[Uint256]
    withdrawable_redemption_fees: Mapped[Uint256]
    pending_fees: Mapped[Uint256]
    high_water_mark: Mapped[Uint256]
    in_transit: Mapped[Uint256]
    contract_total_assets: Mapped[Uint256]
    contract_share_price: Mapped[Uint256]
    tier_values_match: Mapped[bool] = mapped_column(Boolean)


class AssetHoldingSnapshotRow(Base):
    """Balance, price and value of one asset at one block."""

    __tablename__ = "asset_holdings_snapshots"
    __table_args__ = (
        *length_check(20, "token"),
        *uint256_check("balance", "price", "value"),
        CheckConstraint("tier BETWEEN 0 AND 2", name="tier_known"),
        CheckConstraint("active OR value = 0", name="inactive_value_zero"),
        DERIVED_SCHEMA,
    )
    time: Mapped[Instant] = mapped_column(primary_key=True)
    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    token: Mapped[AddressBytes] = mapped_column(primary_key=True)
    tier: Mapped[int] = mapped_column(SmallInteger)
    active: Mapped[bool] = mapped_column(Boolean)
    balance: Mapped[Uint256]
    price: Mapped[int | None] = mapped_column(Uint256Type())
    priced_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    value: Mapped[Uint256]
