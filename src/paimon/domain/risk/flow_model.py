"""Simulate the fund's daily flows from their history.

    daily (deposits, requests) ──► without weekdays ──► stationary bootstrap of whole days ──► with coming weekdays ──► paths

Whole days are drawn in blocks, so a path keeps what days have to do with each other: requests with deposits, and runs of days.
Block lengths are geometric with a mean by Politis and White (2004), within 3 to 15 days. Below a year of history each path also
draws its mean from the uncertainty of the history's. Below 120 days the history is completed with a stated prior, and the
result is uncalibrated. Where at least 300 requests are known, the largest request of a day is drawn from a generalised Pareto
tail above their 90 % quantile, cut at what the largest holder could request.

Amounts are floats: these are estimates of what may come, and nothing is paid by them.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WEEK: Final = 7
HISTORY_DAYS_FULL: Final = 365
HISTORY_DAYS_CALIBRATED: Final = 120
BLOCK_DAYS_MIN: Final = 3.0
BLOCK_DAYS_MAX: Final = 15.0
TAIL_REQUESTS_MIN: Final = 300
TAIL_QUANTILES: Final = (0.85, 0.90, 0.95)
TAIL_SHAPE_MAX: Final = 0.7
_SHAPES_APART_MAX: Final = 0.25
_PRIOR_SEED: Final = 0
PRIOR_DAILY_RATE: Final = 0.002
"""The prior of a young fund: requests and deposits of 0.2 % of net assets on an average day, exponentially distributed."""


@dataclass(frozen=True, slots=True)
class FlowHistory:
    """Whole UTC days, oldest first: gross requests and deposits, the largest request of each day, and all request amounts.

    `amount_days` is the day of each amount, from 0. `first_weekday` is the weekday of the first day, 0 for Monday. `net_assets`
    scales the prior, and `largest_balance` is the most that one holder could request. Amounts are units of the vault's asset.
    """

    deposits: Floats
    requests: Floats
    largest: Floats
    amounts: Floats
    amount_days: NDArray[np.int64]
    first_weekday: int
    net_assets: float
    largest_balance: float

    @property
    def days(self) -> int:
        return len(self.requests)

    @property
    def is_calibrated(self) -> bool:
        return self.days >= HISTORY_DAYS_CALIBRATED

    def before(self, day: int, *, days_max: int) -> "FlowHistory":
        """Return what was known when a day began, of at most so many days."""
        first = max(day - days_max, 0)
        known = (self.amount_days >= first) & (self.amount_days < day)
        return replace(
            self,
            deposits=self.deposits[first:day],
            requests=self.requests[first:day],
            largest=self.largest[first:day],
            amounts=self.amounts[known],
            amount_days=self.amount_days[known] - first,
            first_weekday=(self.first_weekday + first) % WEEK,
        )


@dataclass(frozen=True, slots=True)
class FlowPaths:
    """Simulated flows by path and coming day, each an array of shape (paths, days)."""

    deposits: Floats
    requests: Floats


@dataclass(frozen=True, slots=True)
class Tail:
    """A generalised Pareto tail of amounts above a threshold."""

    threshold: float
    scale: float
    shape: float


def simulate_flows(history: FlowHistory, *, days: int, paths: int, seed: int) -> FlowPaths:
    """Draw paths of the coming days; the same seed gives the same paths."""
    rng = np.random.Generator(np.random.SFC64(seed))
    if history.days < HISTORY_DAYS_CALIBRATED:
        history = _with_prior(history)
    factors = weekday_factors(history.requests, history.first_weekday)
    weekdays = (history.first_weekday + np.arange(history.days + days)) % WEEK
    plain, largest = (flows / factors[weekdays[: history.days]] for flows in (history.requests, history.largest))
    index = _bootstrap(history.days, days=days, paths=paths, mean_block=mean_block_days(plain), rng=rng)
    requests = plain[index]
    if (tail := fit_tail(history.amounts)) is not None:
        _redraw_largest(requests, largest[index], tail, cap=history.largest_balance, rng=rng)
    requests *= factors[weekdays[history.days :]]
    deposits = history.deposits[index]
    if history.days < HISTORY_DAYS_FULL:
        requests *= _mean_ratios(plain, paths, rng)
        deposits *= _mean_ratios(history.deposits, paths, rng)
    return FlowPaths(deposits, requests)


def weekday_factors(flows: Floats, first_weekday: int) -> Floats:
    """Return how each weekday compares with the average day, shrunk towards 1 by its number of weeks. Shape (7,)."""
    mean = flows.mean() if len(flows) else 0.0
    if mean <= 0:
        return np.ones(WEEK)
    weekdays = (first_weekday + np.arange(len(flows))) % WEEK
    counts = np.bincount(weekdays, minlength=WEEK)
    sums = np.bincount(weekdays, weights=flows, minlength=WEEK)
    spread = (flows / mean).var()  # the square of a tiny mean would be zero
    raw = np.where(counts > 0, sums / np.maximum(counts, 1) / mean, 1.0)
    between = max(float(np.var(raw)) - spread / max(float(counts.mean()), 1.0), 0.0)
    kept = between / (between + spread / np.maximum(counts, 1)) if between > 0 else np.zeros(WEEK)
    factors = np.maximum(1 + kept * (raw - 1), 0.05)
    return np.asarray(factors / factors.mean())


def mean_block_days(flows: Floats) -> float:
    """Return the mean block length by Politis and White's rule for the stationary bootstrap, within 3 to 15 days."""
    n = len(flows)
    if n < 2 * WEEK or flows.std() == 0:
        return BLOCK_DAYS_MIN
    centred = (flows - flows.mean()) / flows.std()  # the products of tiny differences would be zero
    lags_max = min(n - 1, int(np.ceil(np.sqrt(n))) + 5)
    covariances = np.array([float(centred[: n - lag] @ centred[lag:]) / n for lag in range(lags_max + 1)])
    insignificant = np.abs(covariances[1:] / covariances[0]) < 2 * np.sqrt(np.log10(n) / n)
    run = max(5, int(np.sqrt(np.log10(n))))
    last = next((lag for lag in range(len(insignificant) - run + 1) if insignificant[lag : lag + run].all()), lags_max // 2)
    lags = np.arange(-2 * max(last, 1), 2 * max(last, 1) + 1)
    lags = lags[np.abs(lags) <= lags_max]
    weights = np.clip(2 * (1 - np.abs(lags) / (2 * max(last, 1))), 0, 1)
    terms = weights * covariances[np.abs(lags)]
    spectrum, slope = float(terms.sum()), float((np.abs(lags) * terms).sum())
    if spectrum <= 0:
        return BLOCK_DAYS_MIN
    block = (slope**2 / spectrum**2 * n) ** (1 / 3)
    return float(np.clip(block, BLOCK_DAYS_MIN, BLOCK_DAYS_MAX))


def fit_tail(amounts: Floats) -> Tail | None:
    """Fit the tail by probability-weighted moments; None with few requests, or where its shape depends on the threshold."""
    amounts = amounts[amounts > 0]
    if len(amounts) < TAIL_REQUESTS_MIN:
        return None
    fits = [_pareto_above(amounts, float(np.quantile(amounts, level))) for level in TAIL_QUANTILES]
    shapes = [fit.shape for fit in fits]
    return fits[1] if max(shapes) - min(shapes) <= _SHAPES_APART_MAX else None


def _pareto_above(amounts: Floats, threshold: float) -> Tail:
    excess = np.sort(amounts[amounts > threshold]) - threshold
    n = len(excess)
    if n < 10 or excess[-1] <= 0:
        return Tail(threshold, 1.0, 0.0)
    first = float(excess.mean())
    second = float(((n - 1 - np.arange(n)) / (n - 1) * excess).mean())
    shape = 2 - first / (first - 2 * second) if first > 2 * second else TAIL_SHAPE_MAX
    shape = float(np.clip(shape, 0, TAIL_SHAPE_MAX))
    return Tail(threshold, first * (1 - shape), shape)


def _redraw_largest(requests: Floats, largest: Floats, tail: Tail, *, cap: float, rng: np.random.Generator) -> None:
    """Replace each day's largest request that is in the tail by a draw from it, in place."""
    at = np.nonzero(largest > tail.threshold)
    uniform = rng.random(len(at[0]))
    if tail.shape > 0:
        excess = tail.scale / tail.shape * ((1 - uniform) ** -tail.shape - 1)
    else:
        excess = -tail.scale * np.log1p(-uniform)
    drawn = np.minimum(tail.threshold + excess, max(cap, tail.threshold))
    requests[at] = np.maximum(requests[at] - largest[at], 0) + drawn


def _bootstrap(n: int, *, days: int, paths: int, mean_block: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return indexes of drawn days, of shape (paths, days): each goes on to the next day, or begins a new block."""
    begins = rng.random((paths, days), dtype=np.float32) < 1 / mean_block
    begins[:, 0] = True
    starts = rng.integers(0, n, size=(paths, days), dtype=np.int64)
    day = np.arange(days)
    began = np.maximum.accumulate(np.where(begins, day, 0), axis=1)
    return np.asarray((np.take_along_axis(starts, began, axis=1) + day - began) % n)


def _mean_ratios(flows: Floats, paths: int, rng: np.random.Generator) -> Floats:
    """Return, for each path, how a mean drawn anew from this history compares with its mean. Shape (paths, 1)."""
    mean = flows.mean()
    if mean <= 0:
        return np.ones((paths, 1))
    blocks = max(len(flows) // WEEK, 1)
    weekly = flows[: blocks * WEEK].reshape(blocks, -1).mean(axis=1) if len(flows) >= WEEK else flows
    drawn = weekly[rng.integers(0, len(weekly), size=(paths, len(weekly)))].mean(axis=1)
    return np.asarray(drawn / mean)[:, None]


def _with_prior(history: FlowHistory) -> FlowHistory:
    """Complete a short history with days of the prior, to 120 days: the same days for every seed.

    Days that were drawn anew would move the chances of two forecasts of the same fund apart.
    """
    rng = np.random.Generator(np.random.SFC64(_PRIOR_SEED))
    missing = HISTORY_DAYS_CALIBRATED - history.days
    scale = PRIOR_DAILY_RATE * history.net_assets
    requests = rng.exponential(scale, missing) if scale > 0 else np.zeros(missing)
    deposits = rng.exponential(scale, missing) if scale > 0 else np.zeros(missing)
    return replace(
        history,
        deposits=np.concatenate([deposits, history.deposits]),
        requests=np.concatenate([requests, history.requests]),
        largest=np.concatenate([requests, history.largest]),
        amount_days=history.amount_days + missing,
        first_weekday=(history.first_weekday - missing) % WEEK,
    )
