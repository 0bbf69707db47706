"""Propose actions of the portfolio manager: keep the tiers near their targets, raise cash for what is due, trade OTC.

Each function proposes one action, or returns None when the state does not allow it.
"""

from random import Random
from typing import Final

from paimon_devkit.market.actions import (
    Action,
    AllocateToLayer,
    Buy,
    BuyBelowMinimum,
    CancelOtcOrder,
    CompoundYield,
    CreateOtcOrder,
    DeliverOtcOrder,
    PayOtcOrder,
    RebalanceBuffer,
    Sell,
    UpdateAllocation,
    Waterfall,
)
from paimon_devkit.market.config import GUEST_ASSET, MarketConfig, random_part
from paimon_devkit.market.market_state import BPS_ONE, CONTROLLER, DAY, WAD, MarketState, OrderStatus

_CASH_KEPT_BPS: Final = 400
_OPEN_ORDERS_MAX: Final = 4


def buy(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Buy with cash that is not needed soon, mostly into the tier furthest below its target."""
    budget = _budget(state)
    tier = _lowest_tier(state) if rng.randrange(4) else rng.randrange(3)
    amount = random_part(rng, budget, 500, 6_000)
    choices = [
        symbol
        for symbol, asset in state.assets.items()
        if asset.tier == tier and asset.is_buyable(state.now) and asset.minimum <= amount
    ]
    if CONTROLLER in state.paused or amount < WAD or not choices:
        return None
    return Buy(rng.choice(choices), amount)


def buy_below_minimum(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    choices = [symbol for symbol, asset in state.assets.items() if asset.is_buyable(state.now) and asset.minimum > WAD]
    if CONTROLLER in state.paused or not choices or _budget(state) < WAD:
        return None
    symbol = rng.choice(choices)
    return BuyBelowMinimum(symbol, min(state.assets[symbol].minimum - 1, _budget(state)))


def sell(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Sell L3 while the fund cannot pay what is due; otherwise sell from the tier furthest above its target."""
    missing = missing_cash(state)
    tier = 2 if missing else _highest_tier(state)
    choices = [symbol for symbol, asset in state.assets.items() if asset.tier == tier and asset.listed and asset.value > WAD]
    if CONTROLLER in state.paused or not choices:
        return None
    symbol = max(choices, key=lambda candidate: state.assets[candidate].value) if missing else rng.choice(choices)
    asset = state.assets[symbol]
    tokens = asset.tokens_for(missing * 105 // 100) if missing else random_part(rng, asset.tokens, 100, 1_500)
    return Sell(symbol, max(min(tokens, asset.tokens), 1))


def allocate_to_layer(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    tier, amount = _lowest_tier(state), random_part(rng, _budget(state), 1_000, 8_000)
    if CONTROLLER in state.paused or amount < 100 * WAD:
        return None
    return AllocateToLayer(tier, amount)


def rebalance_buffer(_rng: Random, _state: MarketState, _config: MarketConfig) -> Action | None:
    return RebalanceBuffer()


def waterfall(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    amount = random_part(rng, state.layer_tokens_value(0) + state.layer_tokens_value(1), 10, 300)
    return Waterfall(amount, rng.randrange(3)) if amount else None


def compound_yield(_rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    return CompoundYield() if any(state.earned.values()) else None


def update_allocation(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    symbol = rng.choice([symbol for symbol, asset in state.assets.items() if asset.listed])
    return UpdateAllocation(symbol, max(state.assets[symbol].allocation_bps + rng.randint(-100, 100), 50))


def create_otc_order(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Order an asset of L3 at up to half a percent from its price; some orders expire before they are paid."""
    amount = min(random_part(rng, _budget(state), 500, 3_000), 250_000 * WAD)
    choices = [
        symbol
        for symbol, asset in state.assets.items()
        if asset.tier == 2 and asset.is_buyable(state.now) and symbol != GUEST_ASSET
    ]
    if CONTROLLER in state.paused or amount < 1_000 * WAD or not choices or len(state.orders) >= _OPEN_ORDERS_MAX:
        return None
    symbol = rng.choice(choices)
    tokens = state.assets[symbol].tokens_for(amount) * rng.randint(BPS_ONE - 50, BPS_ONE + 50) // BPS_ONE
    return CreateOtcOrder(symbol, amount, tokens, rng.randint(DAY, 5 * DAY))


def pay_otc_order(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    payable = [
        order_id
        for order_id, order in state.orders.items()
        if order.status is OrderStatus.PENDING and order.usdt <= state.spendable_cash and state.now <= order.expires_at
    ]
    if CONTROLLER in state.paused or not payable:
        return None
    return PayOtcOrder(rng.choice(payable))


def deliver_otc_order(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Deliver a paid order; the tokens may differ from those agreed."""
    paid = [number for number, order in state.orders.items() if order.status is OrderStatus.PAID]
    if not paid:
        return None
    order_id = rng.choice(paid)
    order = state.orders[order_id]
    exact = rng.randrange(3) > 0
    tokens = order.tokens if exact else order.tokens * rng.randint(BPS_ONE - 30, BPS_ONE + 10) // BPS_ONE
    return DeliverOtcOrder(order_id, order.symbol, max(tokens, 1))


def cancel_otc_order(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Cancel an expired order if there is one, else a pending one."""
    pending = [number for number, order in state.orders.items() if order.status is OrderStatus.PENDING]
    expired = [number for number in pending if state.orders[number].expires_at < state.now]
    return CancelOtcOrder(rng.choice(expired or pending)) if pending else None


def missing_cash(state: MarketState) -> int:
    """Return what L1 and L2 lack to settle everything due."""
    due = sum(state.requests[request_id].gross for request_id in state.due())
    return max(due * 103 // 100 + state.redemption_fees - state.liquidity, 0) if due else 0


def _budget(state: MarketState) -> int:
    """Return the cash beyond the part that is always kept and what is due."""
    due = sum(state.requests[request_id].gross for request_id in state.due())
    return max(state.spendable_cash - state.gross_assets * _CASH_KEPT_BPS // BPS_ONE - due, 0)


def _shortfall_bps(state: MarketState, tier: int) -> int:
    return state.targets_bps[tier] - state.layer_value(tier) * BPS_ONE // max(state.gross_assets, 1)


def _lowest_tier(state: MarketState) -> int:
    return max(range(3), key=lambda tier: _shortfall_bps(state, tier))


def _highest_tier(state: MarketState) -> int:
    return min(range(3), key=lambda tier: _shortfall_bps(state, tier))
