"""What one source said of one asset's price at one time, and why it counts for nothing where it does."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from paimon.domain.kernel.units import RawAmount

PRICE_DECIMALS: Final = 18
PRICE_MAX: Final = RawAmount(10 ** (PRICE_DECIMALS + 18))
"""A million million million USDT for one token: a larger figure has wrong decimals."""

_AHEAD_MAX: Final = timedelta(seconds=60)
"""Clocks differ a little. A valuation further ahead is no valuation."""


class SourceKind(StrEnum):
    """Kind of a price source; the comments say what it is."""

    ADAPTER = "ADAPTER"  # the fund's own oracle adapter, by which the contracts value and settle
    AGGREGATOR = "AGGREGATOR"  # a feed on chain with Chainlink's interface
    HTTP = "HTTP"  # a web service whose answers are signed, or that is asked with a key


class PriceFault(StrEnum):
    """Why an observation counts for nothing."""

    UNAVAILABLE = "UNAVAILABLE"  # the source did not answer in time, or reverted
    UNREADABLE = "UNREADABLE"  # the answer is no price, or more than a price needs
    NOT_SIGNED = "NOT_SIGNED"  # the answer does not have the signature of the source's key
    NOT_POSITIVE = "NOT_POSITIVE"  # zero or below
    TOO_LARGE = "TOO_LARGE"  # more than any token is worth: wrong decimals, or an overflow
    NO_TIME = "NO_TIME"  # a feed without a time of its answer
    IN_FUTURE = "IN_FUTURE"  # valued later than now
    OLDER_THAN_BEFORE = "OLDER_THAN_BEFORE"  # valued before what the source said earlier
    ROUND_INCOMPLETE = "ROUND_INCOMPLETE"  # an answer that was carried over from an earlier round
    AT_BOUND = "AT_BOUND"  # within 1 % of the least or greatest answer the feed can give
    FEED_CHANGED = "FEED_CHANGED"  # decimals, description or aggregator are not those that were confirmed
    NO_PARITY = "NO_PARITY"  # quoted in USD, and no trusted USDT/USD to convert it


@dataclass(frozen=True, slots=True)
class PriceSource:
    """A source of prices. Sources with one `upstream` count once, however many they are."""

    name: str
    kind: SourceKind
    upstream: str


ADAPTER_SOURCE: Final = PriceSource("adapter", SourceKind.ADAPTER, "adapter")


@dataclass(frozen=True, slots=True)
class Quote:
    """One answer of a source: a price in USDT for a whole token (1e18), or the fault instead of one.

    `valued_at` is None where the source gives no time; `published_at` is None where that is not known apart.
    """

    price: int | None
    valued_at: datetime | None
    published_at: datetime | None = None
    fault: PriceFault | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """A source's quote as it was recorded first: at `seen_at`, and at a block where it was read from the chain.

    `publications` is how many different valuations the source has given until now.
    """

    source: PriceSource
    price: RawAmount | None
    valued_at: datetime
    seen_at: datetime
    published_at: datetime | None = None
    block_number: int | None = None
    fault: PriceFault | None = None
    detail: str | None = None
    publications: int = 1


def observe(
    source: PriceSource, quote: Quote, last_good: Observation | None, *, now: datetime, block_number: int | None = None
) -> Observation:
    """Make the observation of a quote; `last_good` is the source's last observation without a fault.

    A price without a time is dated by when it was first seen, so that one that stands still grows old.
    """
    fault, detail = (quote.fault, quote.detail) if quote.fault is not None else _fault(quote, last_good, now)
    if fault is not None:
        price, valued_at = None, last_good.valued_at if last_good else now
    else:
        price = RawAmount(quote.price or 0)
        stands_still = last_good is not None and last_good.price == price
        valued_at = quote.valued_at or (last_good.valued_at if last_good and stands_still else now)
    counted = 0 if last_good is None else last_good.publications
    is_new = fault is None and (last_good is None or valued_at > last_good.valued_at)
    return Observation(
        source=source,
        price=price,
        valued_at=valued_at,
        seen_at=now,
        published_at=quote.published_at,
        block_number=block_number,
        fault=fault,
        detail=detail,
        publications=counted + is_new,
    )


def is_repeated(observation: Observation, previous: Observation | None) -> bool:
    """Report whether the source said the same before, so that there is nothing to record."""
    return previous is not None and (previous.price, previous.valued_at, previous.fault) == (
        observation.price,
        observation.valued_at,
        observation.fault,
    )


def _fault(quote: Quote, last_good: Observation | None, now: datetime) -> tuple[PriceFault | None, str | None]:
    price, valued_at = quote.price, quote.valued_at
    if price is None:
        return PriceFault.UNREADABLE, "there is no price in the answer"
    if price <= 0:
        return PriceFault.NOT_POSITIVE, "the price is zero" if price == 0 else "the price is negative"
    if price > PRICE_MAX:
        return PriceFault.TOO_LARGE, "the price has more digits than any token's: the decimals are wrong"
    if valued_at is not None and valued_at > now + _AHEAD_MAX:
        return PriceFault.IN_FUTURE, f"valued at {_time(valued_at)}, which is still to come"
    if valued_at is not None and last_good is not None and valued_at < last_good.valued_at:
        return PriceFault.OLDER_THAN_BEFORE, f"valued at {_time(valued_at)}, and before at {_time(last_good.valued_at)}"
    return None, None


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def scaled(number: Decimal) -> int | None:
    """Scale a decimal price to 1e18, rounded down; None for what is no number or too long for one.

    The size is looked at before the arithmetic: `1e999999999` is short to send, and no machine has room for its digits.
    """
    if not number.is_finite() or number.adjusted() > 2 * PRICE_DECIMALS + 2:
        return None
    if number.adjusted() < -PRICE_DECIMALS - 1:
        return 0
    return int(number.scaleb(PRICE_DECIMALS))
