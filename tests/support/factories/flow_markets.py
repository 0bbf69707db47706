"""Four kinds of market that draw daily deposits and requests: calm, seasonal, bursty and heavy-tailed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from paimon.domain.risk.flow_model import Floats, FlowHistory

NET_ASSETS: Final = 10_000_000.0
_REQUESTS_A_DAY: Final = 4.0
_AMOUNT: Final = 5_000.0
_SPREAD: Final = 0.8
_WEEK: Final = np.array([1.6, 1.2, 1.0, 1.0, 1.1, 0.5, 0.6])


@dataclass(frozen=True, slots=True)
class _Market:
    """How the rate of requests moves by day, and how an amount is drawn; both have a mean of 1."""

    rate: Callable[[int, np.random.Generator], Floats]
    amount: Callable[[int, np.random.Generator], Floats]


def _log_normal(count: int, rng: np.random.Generator) -> Floats:
    return rng.lognormal(-(_SPREAD**2) / 2, _SPREAD, count)


def _pareto(count: int, rng: np.random.Generator) -> Floats:
    """Amounts whose tail has the shape 0.5: their variance is infinite."""
    return rng.pareto(2.0, count)


def _even(days: int, _rng: np.random.Generator) -> Floats:
    return np.ones(days)


def _seasonal(days: int, _rng: np.random.Generator) -> Floats:
    day = np.arange(days)
    return np.asarray(_WEEK[day % 7] * (1 + 0.3 * np.sin(2 * np.pi * day / 91)))


def _bursty(days: int, rng: np.random.Generator) -> Floats:
    """Runs of five days on average, of five times the requests, that begin about once in 50 days."""
    rates, is_run = np.ones(days), False
    for day in range(days):
        is_run = rng.random() >= 0.2 if is_run else rng.random() < 0.02
        rates[day] = 5.0 if is_run else 1.0
    return rates / 1.36


MARKETS: Final[dict[str, _Market]] = {
    "calm": _Market(_even, _log_normal),
    "seasonal": _Market(_seasonal, _log_normal),
    "bursty": _Market(_bursty, _log_normal),
    "heavy-tailed": _Market(_even, _pareto),
}


def draw_history(market: str, days: int, *, seed: int) -> FlowHistory:
    """Draw whole days that begin on a Monday; the same seed gives the same days."""
    rng, kind = np.random.default_rng(seed), MARKETS[market]
    counts = rng.poisson(_REQUESTS_A_DAY * kind.rate(days, rng))
    amount_days = np.repeat(np.arange(days), counts)
    amounts = _AMOUNT * kind.amount(len(amount_days), rng)
    largest = np.zeros(days)
    np.maximum.at(largest, amount_days, amounts)
    return FlowHistory(
        deposits=rng.gamma(2.0, _REQUESTS_A_DAY * _AMOUNT / 2, days),
        requests=np.asarray(np.bincount(amount_days, weights=amounts, minlength=days), dtype=np.float64),
        largest=largest,
        amounts=amounts,
        amount_days=amount_days,
        first_weekday=0,
        net_assets=NET_ASSETS,
        largest_balance=NET_ASSETS / 10,
    )
