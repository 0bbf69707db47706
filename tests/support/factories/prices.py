"""Observations and earlier prices for tests of trust, in whole units and hours."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import WAD, RawAmount
from paimon.domain.price.observation import ADAPTER_SOURCE, Observation, PriceFault, PriceSource, SourceKind
from paimon.domain.price.trust import PastPrice, PricedAsset

WEDNESDAY: Final = datetime(2026, 3, 4, 12, tzinfo=UTC)
TOKEN: Final = Address(bytes(19) + b"\x01")


def wad(price: str | float | int) -> RawAmount:
    return RawAmount(int(Decimal(str(price)) * WAD))


def observation(
    price: str | float | int | None,
    source: str = "adapter",
    *,
    hours_ago: float = 1,
    now: datetime = WEDNESDAY,
    upstream: str | None = None,
    publications: int = 100,
    fault: PriceFault | None = None,
) -> Observation:
    """Build a source's last observation; one without a price is a fault."""
    kind = SourceKind.ADAPTER if source == ADAPTER_SOURCE.name else SourceKind.HTTP
    valued_at = now - timedelta(hours=hours_ago)
    return Observation(
        source=PriceSource(source, kind, upstream or source),
        price=None if price is None else wad(price),
        valued_at=valued_at,
        seen_at=valued_at,
        fault=PriceFault.UNAVAILABLE if price is None and fault is None else fault,
        detail=None if price is not None else "no answer within 5 s",
        publications=publications,
    )


def past_price(
    price: str | float, *, hours_ago: float, now: datetime = WEDNESDAY, trusted: bool = True, released: bool = False
) -> PastPrice:
    at = now - timedelta(hours=hours_ago)
    return PastPrice(at, wad(price), at, trusted=trusted, released=released)


def asset(contract_price: str | float | None, tier: Tier = Tier.L3) -> PricedAsset:
    return PricedAsset(TOKEN, tier, None if contract_price is None else wad(contract_price))
