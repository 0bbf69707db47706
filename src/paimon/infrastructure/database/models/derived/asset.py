"""Tables of assets, tiers, trades and OTC orders."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, Index, Integer
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.asset.otc_order import OrderStatus
from paimon.domain.asset.purchase_method import PurchaseMethod
from paimon.domain.asset.tier import Tier
from paimon.domain.asset.trade import TradeKind, TradeTrigger
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import BPS_ONE
from paimon.infrastructure.database.models.base import DERIVED_SCHEMA, Base
from paimon.infrastructure.database.models.derived.event_columns import EventRowColumns, event_row_checks
from paimon.infrastructure.database.types import (
    AddressBytes,
    Instant,
    Uint256,
    Uint256Type,
    enum_check,
    enum_column,
    length_check,
    uint256_check,
)


class AssetConfigRow(Base):
    """An asset as the events configured it, delisted ones included. Purchase terms have no event; they are observations."""

    __tablename__ = "asset_configs"
    __table_args__ = (
        enum_check("tier", Tier),
        *length_check(20, "token", "adapter"),
        CheckConstraint(f"allocation_bps BETWEEN 0 AND {BPS_ONE}", name="allocation_bps_range"),
        CheckConstraint("is_active = (removed_block IS NULL)", name="removed_when_inactive"),
        CheckConstraint("removed_block >= added_block", name="added_before_removed"),
        DERIVED_SCHEMA,
    )
    token: Mapped[AddressBytes] = mapped_column(primary_key=True)
    tier: Mapped[Tier] = enum_column(Tier)
    allocation_bps: Mapped[int] = mapped_column(Integer)
    is_active: Mapped[bool] = mapped_column(Boolean)
    adapter: Mapped[Address | None] = mapped_column(BYTEA)
    added_block: Mapped[int] = mapped_column(BigInteger)
    removed_block: Mapped[int | None] = mapped_column(BigInteger)


class TierConfigRow(Base):
    """A tier's band since its last event. A tier without a row still has its initial band, which has no event."""

    __tablename__ = "tier_configs"
    __table_args__ = (
        enum_check("tier", Tier),
        CheckConstraint(
            f"0 <= min_bps AND min_bps <= target_bps AND target_bps <= max_bps AND max_bps <= {BPS_ONE}", name="bands_in_order"
        ),
        DERIVED_SCHEMA,
    )
    tier: Mapped[Tier] = enum_column(Tier, primary_key=True)
    target_bps: Mapped[int] = mapped_column(Integer)
    min_bps: Mapped[int] = mapped_column(Integer)
    max_bps: Mapped[int] = mapped_column(Integer)
    since_block: Mapped[int] = mapped_column(BigInteger)


class TradeRow(EventRowColumns, Base):
    """One purchase or sale, counted once even if several logs report it. `request_id` is the redemption it paid for."""

    __tablename__ = "trades"
    __table_args__ = (
        *event_row_checks(),
        enum_check("kind", TradeKind),
        enum_check("trigger", TradeTrigger),
        enum_check("tier", Tier),
        enum_check("purchase_method", PurchaseMethod),
        *length_check(20, "token"),
        *uint256_check("usdt_amount", "token_amount", "request_id"),
        CheckConstraint("(kind = 'PURCHASE') = (trigger IN ('ALLOCATION','PURCHASE'))", name="kind_matches_trigger"),
        CheckConstraint("has_effect = (usdt_amount > 0 OR token_amount > 0)", name="has_effect_with_amounts"),
        CheckConstraint("request_id IS NULL OR trigger = 'WATERFALL'", name="request_only_for_waterfall"),
        Index("ix_trades_token", "token", "block_number"),
        Index("ix_trades_at", "at"),
        DERIVED_SCHEMA,
    )
    kind: Mapped[TradeKind] = enum_column(TradeKind)
    trigger: Mapped[TradeTrigger] = enum_column(TradeTrigger)
    token: Mapped[AddressBytes]
    tier: Mapped[Tier | None] = enum_column(Tier)
    purchase_method: Mapped[PurchaseMethod | None] = enum_column(PurchaseMethod)
    usdt_amount: Mapped[Uint256]
    token_amount: Mapped[Uint256]
    has_effect: Mapped[bool] = mapped_column(Boolean)
    request_id: Mapped[int | None] = mapped_column(Uint256Type())


class OtcOrderRow(Base):
    """An OTC order. Each manager has its own order numbers. PAID means money in transit."""

    __tablename__ = "otc_orders"
    __table_args__ = (
        enum_check("status", OrderStatus),
        *length_check(20, "manager", "token", "counterparty"),
        *uint256_check("order_id", "usdt_amount", "expected_tokens", "actual_tokens"),
        CheckConstraint("(status IN ('DELIVERED','CANCELLED')) = (closed_at IS NOT NULL)", name="closed_when_terminal"),
        CheckConstraint("status NOT IN ('PAID','DELIVERED') OR paid_at IS NOT NULL", name="paid_before_delivered"),
        CheckConstraint("status <> 'PENDING' OR paid_at IS NULL", name="pending_is_unpaid"),
        CheckConstraint("(status = 'DELIVERED') = (actual_tokens IS NOT NULL)", name="tokens_when_delivered"),
        Index("ix_otc_orders_open", "status", postgresql_where="closed_at IS NULL"),
        DERIVED_SCHEMA,
    )
    manager: Mapped[AddressBytes] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(Uint256Type(), primary_key=True, autoincrement=False)
    token: Mapped[AddressBytes]
    counterparty: Mapped[AddressBytes]
    usdt_amount: Mapped[Uint256]
    expected_tokens: Mapped[Uint256]
    status: Mapped[OrderStatus] = enum_column(OrderStatus)
    created_at: Mapped[Instant]
    paid_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    actual_tokens: Mapped[int | None] = mapped_column(Uint256Type())
