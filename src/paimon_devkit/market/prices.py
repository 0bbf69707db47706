"""Propose price changes: a seeded random walk per tier in millionths that reverts to its start; shocks; yield."""

from random import Random
from typing import Final

from paimon_devkit.market.actions import Action, EarnYield, MovePrices, PublishStalePrice, SetImpact, ShockPrice
from paimon_devkit.market.config import MarketConfig
from paimon_devkit.market.market_state import BPS_ONE, Asset, MarketState

_MILLION: Final = 1_000_000
_DRIFT_PPM: Final = {0: 60, 1: 90, 2: 150}
"""The mean of one move: 2 to 5 % a year at one move a day."""
_SPREAD_PPM: Final = {0: 50, 1: 300, 2: 6_000}
_MEAN_REVERSION: Final = 400
"""Each move reverts by this part of the distance from the anchor, so that years of moves stay plausible."""
_IMPACT_BPS_MAX: Final = 60  # the controller accepts 100 by default
_STALE_SECONDS_MAX: Final = 6 * 3_600


def move_prices(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    return MovePrices(tuple((symbol, _next_price(rng, asset)) for symbol, asset in state.assets.items()))


def shock_price(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Move a price of L3 by 3 to 12 % at once; one of L2 by a sixth of that, none of L1."""
    symbol = rng.choice([symbol for symbol, asset in state.assets.items() if asset.tier > 0])
    asset = state.assets[symbol]
    size_bps = rng.randint(300, 1_200) // (1 if asset.tier == 2 else 6)
    direction = 1 if rng.randrange(2) or asset.price < asset.anchor_price * 7 // 10 else -1
    return ShockPrice(symbol, asset.price * (BPS_ONE + direction * size_bps) // BPS_ONE)


def publish_stale_price(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    symbol = rng.choice(list(state.assets))
    return PublishStalePrice(symbol, _next_price(rng, state.assets[symbol]), state.now - rng.randint(600, _STALE_SECONDS_MAX))


def set_impact(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    symbol = rng.choice([symbol for symbol, asset in state.assets.items() if not asset.has_adapter])
    return SetImpact(symbol, rng.randint(0, _IMPACT_BPS_MAX))


def earn_yield(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Add a yield of up to 2 bps of the fund's tokens at an adapter."""
    symbol = rng.choice([symbol for symbol, asset in state.assets.items() if asset.has_adapter])
    amount = state.assets[symbol].value * rng.randint(1, 20) // (10 * BPS_ONE)
    return EarnYield(symbol, amount) if amount else None


def _next_price(rng: Random, asset: Asset) -> int:
    spread = _SPREAD_PPM[asset.tier]
    step_ppm = _DRIFT_PPM[asset.tier] + sum(rng.randint(-spread, spread) for _ in range(3)) // 3
    reversion = (asset.anchor_price - asset.price) // _MEAN_REVERSION
    return max(asset.price * (_MILLION + step_ppm) // _MILLION + reversion, asset.anchor_price // 10)
