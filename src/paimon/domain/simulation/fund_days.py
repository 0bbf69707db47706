"""A fund's days in memory: what investors bring and take, and how assets move. Statistics, so numbers are floats here.

Source of the shape: docs/concepts/rebalancing.md, "The simulator". A seed gives the same days on every machine.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

_WEEK: Final = (1.15, 1.05, 1.0, 1.0, 0.9, 0.45, 0.45)
"""Of the mean flow, by weekday."""


@dataclass(frozen=True, slots=True)
class FlowModel:
    """Daily flows as shares of the fund.

    A deposit or request is log-normal around its mean with this `spread`. On a `burst_chance` of the days, a run begins: for
    `burst_days` requests are `burst_factor` times as large.
    """

    deposits: float = 0.0035
    requests: float = 0.0032
    spread: float = 0.9
    burst_chance: float = 0.006
    burst_days: int = 5
    burst_factor: float = 7.0


@dataclass(frozen=True, slots=True)
class PriceModel:
    """Daily growth and volatility of an asset of each tier."""

    growth: tuple[float, float, float] = (0.00008, 0.00012, 0.00022)
    volatility: tuple[float, float, float] = (0.0, 0.0002, 0.0035)


@dataclass(frozen=True, slots=True)
class FundDay:
    """One day: deposits and redemption requests as shares of the fund, and each asset's growth."""

    deposits: float
    requests: float
    growth: tuple[float, ...]


def draw_days(
    count: int, tiers: tuple[int, ...], *, seed: int, flows: FlowModel | None = None, prices: PriceModel | None = None
) -> tuple[FundDay, ...]:
    """Draw days for assets of these tiers (0 … 2, one entry for each asset)."""
    flows, prices = flows or FlowModel(), prices or PriceModel()
    random = np.random.default_rng(seed)
    level = -(flows.spread**2) / 2  # so that the mean of the log-normal is 1
    means = np.array([prices.growth[tier] for tier in tiers])
    volatilities = np.array([prices.volatility[tier] for tier in tiers])
    days, run_left = [], 0
    for number in range(count):
        if run_left == 0 and random.random() < flows.burst_chance:
            run_left = flows.burst_days
        factor = flows.burst_factor if run_left else 1.0
        run_left = max(run_left - 1, 0)
        season = _WEEK[number % 7]
        deposits = flows.deposits * season * random.lognormal(level, flows.spread)
        requests = flows.requests * season * factor * random.lognormal(level, flows.spread)
        growth = random.normal(means, volatilities)
        days.append(FundDay(float(deposits), min(float(requests), 0.25), tuple(growth.tolist())))
    return tuple(days)
