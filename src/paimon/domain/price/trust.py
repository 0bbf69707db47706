"""Decide whether an asset's price is trusted. Source: docs/concepts/prices.md.

    observations ──► agreement of the sources that count
                 ──► step from the last trusted price, in one publication and in 24 hours; growth bound
                 ──► the contracts' own price within the tolerance of it

Each rule that fails says why, with both figures. A fault of one source never stops the others. A jump becomes the price by
itself after some publications that agree with it, so no price stays untrusted for ever.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Final

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount, Rounding, divide
from paimon.domain.price.agreement import Agreement, SourceVerdict, agree, part, percent_text, price_text
from paimon.domain.price.calendar import Calendar
from paimon.domain.price.observation import Observation, SourceKind
from paimon.domain.price.policy import PricePolicy

_STEP_WINDOW: Final = timedelta(hours=24)
_DEVIATION_PLACES: Final = 12


class PriceTrust(StrEnum):
    TRUSTED = "TRUSTED"
    UNTRUSTED = "UNTRUSTED"


@dataclass(frozen=True, slots=True)
class PricedAsset:
    """What is judged: an asset of the fund, and the price by which the contracts value it (None where they have none)."""

    token: Address
    tier: Tier
    contract_price: RawAmount | None


@dataclass(frozen=True, slots=True)
class PastPrice:
    """The agreed price of an earlier judgement, trusted or not. `released` marks a jump that became the price."""

    at: datetime
    price: RawAmount
    valued_at: datetime
    trusted: bool
    released: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether an asset's price is trusted at one time.

    `price` is what the sources agree on, trusted or not; None where they do not. `reasons` are empty for a trusted price.
    `missed` counts the publications that are missing by the asset's calendar.
    """

    asset: PricedAsset
    at: datetime
    price: RawAmount | None
    valued_at: datetime | None
    missed: int
    sources: tuple[SourceVerdict, ...]
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    released: bool = False

    @property
    def trust(self) -> PriceTrust:
        return PriceTrust.UNTRUSTED if self.reasons else PriceTrust.TRUSTED

    @property
    def is_trusted(self) -> bool:
        return not self.reasons


def price_deviation(contract_price: int | None, price: int | None, kinds: Iterable[SourceKind]) -> Decimal | None:
    """Return how far the contracts' price is from the agreed one, as a ratio of that, rounded up to 12 places.

    None where one of them is missing, and where the fund's own adapter is the only source: it would agree with itself.
    """
    if contract_price is None or price is None or set(kinds) <= {SourceKind.ADAPTER}:
        return None
    apart = divide(abs(contract_price - price) * 10**_DEVIATION_PLACES, price, rounding=Rounding.UP)
    return Decimal(f"{apart}E-{_DEVIATION_PLACES}")


@dataclass(slots=True)
class _Findings:
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    released: bool = False


def judge_price(
    asset: PricedAsset, observations: Sequence[Observation], past: Sequence[PastPrice], policy: PricePolicy, *, now: datetime
) -> Judgement:
    """Judge one asset by the last observation of each source, and by its earlier agreed prices, oldest first."""
    calendar, found = policy.pricing(asset.token).calendar, _Findings()
    agreement = agree(observations, calendar, policy.agreement_rules(asset.tier), now=now)
    seen = agreement.counted or observations
    valued_at = max((observation.valued_at for observation in seen), default=None)
    if agreement.reason is not None:
        found.reasons.append(agreement.reason)
    if agreement.price is not None and valued_at is not None:
        _check_agreed(asset, PastPrice(now, agreement.price, valued_at, trusted=False), agreement, past, policy, found)
    return Judgement(
        asset=asset,
        at=now,
        price=agreement.price,
        valued_at=valued_at,
        missed=0 if valued_at is None else calendar.missed(valued_at, now),
        sources=agreement.verdicts,
        reasons=tuple(found.reasons),
        notes=tuple(found.notes),
        released=found.released and not found.reasons,
    )


def _check_agreed(
    asset: PricedAsset,
    agreed: PastPrice,
    agreement: Agreement,
    past: Sequence[PastPrice],
    policy: PricePolicy,
    found: _Findings,
) -> None:
    if agreement.is_single:
        found.notes.append("single-source: no other source checks it")
    _check_move(asset, agreed, past, policy, found)
    _check_growth(asset, agreed, policy, found)
    _check_contract_price(asset, agreed.price, policy, found)


def _check_move(
    asset: PricedAsset, agreed: PastPrice, past: Sequence[PastPrice], policy: PricePolicy, found: _Findings
) -> None:
    step, trusted = policy.limits[asset.tier].step, [one for one in past if one.trusted]
    jumps = [base for base in _bases(trusted, agreed.at) if abs(agreed.price - base.price) > part(base.price, step)]
    if not jumps:
        return
    calendar = policy.pricing(asset.token).calendar
    needed = policy.release_publications
    if _is_released(_since_last_trusted(past, agreed, calendar), step=step, needed=needed):
        found.notes.append(f"a jump on which {needed} publications agree became the price")
        found.released = True
        return
    base = jumps[0]
    found.reasons.append(
        f"a jump from {price_text(base.price)} at {base.at:%Y-%m-%d %H:%M} UTC to {price_text(agreed.price)}:"
        f" {percent_text(step)} are allowed in one publication and in 24 hours; {needed} publications that agree release it"
    )


def _bases(trusted: Sequence[PastPrice], now: datetime) -> list[PastPrice]:
    """Return the last trusted price and the one in force 24 hours ago, but none from before a released jump.

    There is none before the first trusted price, which has nothing to be compared with.
    """
    if not trusted:
        return []
    start = max((index for index, one in enumerate(trusted) if one.released), default=0)
    known = trusted[start:]
    day_ago = [one for one in known if one.at <= now - _STEP_WINDOW]
    return [known[-1], day_ago[-1] if day_ago else known[0]]


def _since_last_trusted(past: Sequence[PastPrice], agreed: PastPrice, calendar: Calendar) -> list[RawAmount]:
    """Return the agreed prices of the publications since the last trusted one, newest first.

    Valuations that the calendar does not count apart are one publication: a feed that repeats a wrong answer each minute has
    published it once.
    """
    last_trusted = max(one.valued_at for one in past if one.trusted)
    newest_first = sorted((one for one in past if one.valued_at > last_trusted), key=lambda one: one.valued_at, reverse=True)
    kept = [agreed]
    for one in newest_first:
        if calendar.is_later_publication(kept[-1].valued_at, than=one.valued_at):
            kept.append(one)
    return [one.price for one in kept]


def _is_released(prices: Sequence[RawAmount], *, step: int, needed: int) -> bool:
    """Report whether the newest publications are enough, and each is within one step of the one before it."""
    newest = prices[:needed]
    return len(newest) == needed and all(abs(later - earlier) <= part(earlier, step) for later, earlier in pairwise(newest))


def _check_growth(asset: PricedAsset, agreed: PastPrice, policy: PricePolicy, found: _Findings) -> None:
    bound = policy.pricing(asset.token).growth_bound
    if bound is not None and agreed.price > (greatest := bound.greatest(agreed.at)):
        found.reasons.append(
            f"{price_text(agreed.price)} is more than {price_text(greatest)}, to which {price_text(bound.price)} of"
            f" {bound.at:%Y-%m-%d} can have grown at {percent_text(bound.growth_a_year)} a year"
        )


def _check_contract_price(asset: PricedAsset, price: RawAmount, policy: PricePolicy, found: _Findings) -> None:
    chain, tolerance = asset.contract_price, policy.limits[asset.tier].tolerance
    if chain is None:
        found.reasons.append("the contracts have no price of it")
    elif abs(chain - price) > part(price, tolerance):
        found.reasons.append(
            f"the contracts value it at {price_text(chain)}, the sources agree on {price_text(price)}:"
            f" {percent_text(tolerance)} apart are allowed"
        )
