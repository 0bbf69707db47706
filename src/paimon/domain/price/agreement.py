"""Which observations count, and what price they agree on. Source: docs/concepts/prices.md, "Agreement".

one alone       it is the price, and is shown as single-source
two             they agree within the tolerance, or there is no price
three or more   the median of those that are no outliers, if most of all are within the tolerance of it
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount
from paimon.domain.price.calendar import Calendar
from paimon.domain.price.observation import PRICE_DECIMALS, Observation

_MAD_FACTOR: Final = 44_478
"""3 times 1.4826, the distance of an outlier in median deviations of a normal distribution, times 10 000."""


class SourceUse(StrEnum):
    """What an observation counted for."""

    COUNTED = "COUNTED"
    SAME_UPSTREAM = "SAME_UPSTREAM"  # a newer one of the same upstream counts
    SHADOW = "SHADOW"  # a new source, only watched
    STALE = "STALE"
    OUTLIER = "OUTLIER"
    FAULTY = "FAULTY"


@dataclass(frozen=True, slots=True)
class SourceVerdict:
    """One source's last observation and what it counted for; `note` says why it did not count."""

    observation: Observation
    use: SourceUse
    note: str | None = None

    @property
    def price(self) -> int:
        if self.observation.price is None:
            raise ValueError(f"an observation of {self.observation.source.name} without a price cannot count")
        return self.observation.price


@dataclass(frozen=True, slots=True)
class AgreementRules:
    """How far sources may be apart, how far an outlier is at least, and how long a new source is only watched."""

    tolerance: Bps
    outlier_min: Bps
    shadow_publications: int
    missed_max: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """The price that the sources agree on, or the reason why there is none. `is_single` marks a price that none checks."""

    price: RawAmount | None
    verdicts: tuple[SourceVerdict, ...]
    reason: str | None = None
    is_single: bool = False

    @property
    def counted(self) -> list[Observation]:
        return [verdict.observation for verdict in self.verdicts if verdict.use is SourceUse.COUNTED]


def agree(observations: Sequence[Observation], calendar: Calendar, rules: AgreementRules, *, now: datetime) -> Agreement:
    """Return what the last observations of an asset's sources agree on."""
    verdicts = _mark_outliers(_select(observations, calendar, rules, now), rules)
    prices = [verdict.price for verdict in verdicts if verdict.use is SourceUse.COUNTED]
    outliers = sum(verdict.use is SourceUse.OUTLIER for verdict in verdicts)
    if not prices:
        return Agreement(None, verdicts, _nothing_counts(verdicts))
    middle = RawAmount(median(prices))
    if len(prices) == 1 and not outliers:
        return Agreement(middle, verdicts, is_single=True)
    if _most_agree(prices, middle, len(prices) + outliers, rules.tolerance):
        return Agreement(middle, verdicts)
    between = f"between {price_text(min(prices))} and {price_text(max(prices))}"
    return Agreement(None, verdicts, f"the sources are {between}, and {percent_text(rules.tolerance)} apart are allowed")


def _select(
    observations: Sequence[Observation], calendar: Calendar, rules: AgreementRules, now: datetime
) -> tuple[SourceVerdict, ...]:
    """Decide for each observation, newest valuation first, whether it may count at all."""
    has_known_source = any(observation.publications >= rules.shadow_publications for observation in observations)
    upstreams: set[str] = set()

    def verdict(observation: Observation) -> SourceVerdict:
        missed, upstream = calendar.missed(observation.valued_at, now), observation.source.upstream
        if observation.fault is not None:
            return SourceVerdict(observation, SourceUse.FAULTY, observation.detail or observation.fault)
        if missed > rules.missed_max:
            since = f"{observation.valued_at:%Y-%m-%d %H:%M} UTC"
            return SourceVerdict(observation, SourceUse.STALE, f"{missed} publications missed since {since}; due {calendar}")
        if has_known_source and observation.publications < rules.shadow_publications:
            watched = f"{observation.publications} of {rules.shadow_publications} publications"
            return SourceVerdict(observation, SourceUse.SHADOW, f"a new source, watched for {watched}")
        if upstream in upstreams:
            return SourceVerdict(observation, SourceUse.SAME_UPSTREAM, f"counts once with the others of {upstream}")
        upstreams.add(upstream)
        return SourceVerdict(observation, SourceUse.COUNTED)

    return tuple(verdict(one) for one in sorted(observations, key=lambda one: (-one.valued_at.timestamp(), one.source.name)))


def _mark_outliers(verdicts: tuple[SourceVerdict, ...], rules: AgreementRules) -> tuple[SourceVerdict, ...]:
    prices = [verdict.price for verdict in verdicts if verdict.use is SourceUse.COUNTED]
    if len(prices) < 3:
        return verdicts
    middle = median(prices)
    deviation = median([abs(price - middle) for price in prices])
    reach = max(deviation * _MAD_FACTOR // BPS_ONE, part(middle, rules.outlier_min))

    def marked(verdict: SourceVerdict) -> SourceVerdict:
        if verdict.use is not SourceUse.COUNTED or abs(verdict.price - middle) <= reach:
            return verdict
        note = f"{price_text(verdict.price)} is far from the median {price_text(middle)}"
        return replace(verdict, use=SourceUse.OUTLIER, note=note)

    return tuple(marked(verdict) for verdict in verdicts)


def _most_agree(prices: Sequence[int], middle: int, total: int, tolerance: Bps) -> bool:
    """Report whether two agree with each other, or most of more with their median: prices far apart have a median too."""
    if total == 2:
        return max(prices) - min(prices) <= part(min(prices), tolerance)
    return 2 * sum(abs(price - middle) <= part(middle, tolerance) for price in prices) > total


def _nothing_counts(verdicts: Sequence[SourceVerdict]) -> str:
    if not verdicts:
        return "no source has a price"
    return "no source counts: " + "; ".join(f"{verdict.observation.source.name}: {verdict.note}" for verdict in verdicts)


def median(values: Sequence[int]) -> int:
    """Return the median, of two middle values the lower mean."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2


def part(whole: int, bps: int) -> int:
    """Return basis points of a price, rounded down."""
    return whole * bps // BPS_ONE


def price_text(price: int) -> str:
    """Format a price of a message: six places at most."""
    text = format(Decimal(price).scaleb(-PRICE_DECIMALS).quantize(Decimal("0.000001")), "f")
    return text.rstrip("0").rstrip(".")


def percent_text(bps: int) -> str:
    return f"{(Decimal(bps) / 100).normalize():f} %"
