"""Tables of prices: what each source said, and how each asset's price was judged. Both are only added to."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, Index, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from paimon.domain.asset.tier import Tier
from paimon.domain.price.observation import PriceFault, SourceKind
from paimon.domain.price.trust import PriceTrust
from paimon.infrastructure.database.models.base import OPS_SCHEMA, Base
from paimon.infrastructure.database.types import (
    AddressBytes,
    Instant,
    Uint256Type,
    enum_check,
    enum_column,
    length_check,
    uint256_check,
)


class PriceObservationRow(Base):
    """What a source said of a token's price, when it first said so. A row of the vault's asset is USD for one USDT."""

    __tablename__ = "price_observations"
    __table_args__ = (
        *length_check(20, "token"),
        *uint256_check("price"),
        enum_check("kind", SourceKind),
        enum_check("fault", PriceFault),
        CheckConstraint("(price IS NULL) = (fault IS NOT NULL)", name="price_or_fault"),
        CheckConstraint("publications >= 0", name="publications_counted"),
        Index("ix_price_observations_token_source", "token", "source", "id"),
        OPS_SCHEMA,
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    token: Mapped[AddressBytes]
    source: Mapped[str] = mapped_column(Text)
    kind: Mapped[SourceKind] = enum_column(SourceKind)
    upstream: Mapped[str] = mapped_column(Text)
    price: Mapped[int | None] = mapped_column(Uint256Type())
    valued_at: Mapped[Instant]
    published_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    seen_at: Mapped[Instant]
    block_number: Mapped[int | None] = mapped_column(BigInteger)
    fault: Mapped[PriceFault | None] = enum_column(PriceFault)
    detail: Mapped[str | None] = mapped_column(Text)
    publications: Mapped[int] = mapped_column(BigInteger)


class PriceJudgementRow(Base):
    """Whether a token's price was trusted from a time on, with the reasons; the next row of the token ends it."""

    __tablename__ = "price_judgements"
    __table_args__ = (
        *length_check(20, "token"),
        *uint256_check("price", "contract_price"),
        enum_check("tier", Tier),
        enum_check("trust", PriceTrust),
        CheckConstraint("missed >= 0", name="missed_counted"),
        CheckConstraint("trust <> 'TRUSTED' OR price IS NOT NULL", name="trusted_has_price"),
        Index("ix_price_judgements_token", "token", "id"),
        OPS_SCHEMA,
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    token: Mapped[AddressBytes]
    tier: Mapped[Tier] = enum_column(Tier)
    block_number: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[Instant]
    trust: Mapped[PriceTrust] = enum_column(PriceTrust)
    price: Mapped[int | None] = mapped_column(Uint256Type())
    contract_price: Mapped[int | None] = mapped_column(Uint256Type())
    valued_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    missed: Mapped[int] = mapped_column(Integer)
    released: Mapped[bool]
    reasons: Mapped[list[Any]] = mapped_column(JSONB)
    notes: Mapped[list[Any]] = mapped_column(JSONB)
    sources: Mapped[list[Any]] = mapped_column(JSONB)
