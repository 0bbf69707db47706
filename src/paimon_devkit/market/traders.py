"""What the portfolio manager would do: keep the tiers near their targets, raise cash for what is due, trade OTC."""

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
from paimon_devkit.market.config import GUEST_ASSET, MarketConfig, share_of
from paimon_devkit.market.market_state import BPS_ONE, CONTROLLER, DAY, WAD, OrderStatus, World

_CASH_KEPT_BPS: Final = 400
_OPEN_ORDERS_MAX: Final = 4


def buy(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    """From cash that is not needed soon, mostly into the tier furthest below its target."""
    budget = _budget(world)
    tier = _lowest_tier(world) if rng.randrange(4) else rng.randrange(3)
    amount = share_of(rng, budget, 500, 6_000)
    choices = [
        symbol
        for symbol, asset in world.assets.items()
        if asset.tier == tier and asset.is_buyable(world.now) and asset.minimum <= amount
    ]
    if CONTROLLER in world.paused or amount < WAD or not choices:
        return None
    return Buy(rng.choice(choices), amount)


def buy_below_minimum(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    choices = [symbol for symbol, asset in world.assets.items() if asset.is_buyable(world.now) and asset.minimum > WAD]
    if CONTROLLER in world.paused or not choices or _budget(world) < WAD:
        return None
    symbol = rng.choice(choices)
    return BuyBelowMinimum(symbol, min(world.assets[symbol].minimum - 1, _budget(world)))


def sell(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    """L3 while the fund cannot pay what is due; otherwise from the tier furthest above its target."""
    missing = missing_cash(world)
    tier = 2 if missing else _highest_tier(world)
    choices = [symbol for symbol, asset in world.assets.items() if asset.tier == tier and asset.listed and asset.value > WAD]
    if CONTROLLER in world.paused or not choices:
        return None
    symbol = max(choices, key=lambda each: world.assets[each].value) if missing else rng.choice(choices)
    asset = world.assets[symbol]
    tokens = asset.tokens_for(missing * 105 // 100) if missing else share_of(rng, asset.tokens, 100, 1_500)
    return Sell(symbol, max(min(tokens, asset.tokens), 1))


def allocate_to_layer(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    tier, amount = _lowest_tier(world), share_of(rng, _budget(world), 1_000, 8_000)
    if CONTROLLER in world.paused or amount < 100 * WAD:
        return None
    return AllocateToLayer(tier, amount)


def rebalance_buffer(_rng: Random, _world: World, _config: MarketConfig) -> Action | None:
    return RebalanceBuffer()


def waterfall(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    amount = share_of(rng, world.layer_tokens_value(0) + world.layer_tokens_value(1), 10, 300)
    return Waterfall(amount, rng.randrange(3)) if amount else None


def compound_yield(_rng: Random, world: World, _config: MarketConfig) -> Action | None:
    return CompoundYield() if any(world.earned.values()) else None


def update_allocation(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    symbol = rng.choice([symbol for symbol, asset in world.assets.items() if asset.listed])
    return UpdateAllocation(symbol, max(world.assets[symbol].allocation_bps + rng.randint(-100, 100), 50))


def create_otc_order(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    """L3 at up to half a percent from its price; some orders expire before anybody pays them."""
    amount = min(share_of(rng, _budget(world), 500, 3_000), 250_000 * WAD)
    choices = [
        symbol
        for symbol, asset in world.assets.items()
        if asset.tier == 2 and asset.is_buyable(world.now) and symbol != GUEST_ASSET
    ]
    if CONTROLLER in world.paused or amount < 1_000 * WAD or not choices or len(world.orders) >= _OPEN_ORDERS_MAX:
        return None
    symbol = rng.choice(choices)
    tokens = world.assets[symbol].tokens_for(amount) * rng.randint(BPS_ONE - 50, BPS_ONE + 50) // BPS_ONE
    return CreateOtcOrder(symbol, amount, tokens, rng.randint(DAY, 5 * DAY))


def pay_otc_order(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    payable = [
        each
        for each, order in world.orders.items()
        if order.status is OrderStatus.PENDING and order.usdt <= world.spendable_cash and world.now <= order.expires_at
    ]
    if CONTROLLER in world.paused or not payable:
        return None
    return PayOtcOrder(rng.choice(payable))


def deliver_otc_order(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    """What arrives may differ from what was agreed."""
    paid = [each for each, order in world.orders.items() if order.status is OrderStatus.PAID]
    if not paid:
        return None
    order_id = rng.choice(paid)
    order = world.orders[order_id]
    exact = rng.randrange(3) > 0
    tokens = order.tokens if exact else order.tokens * rng.randint(BPS_ONE - 30, BPS_ONE + 10) // BPS_ONE
    return DeliverOtcOrder(order_id, order.symbol, max(tokens, 1))


def cancel_otc_order(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    """One that expired, if there is one."""
    pending = [each for each, order in world.orders.items() if order.status is OrderStatus.PENDING]
    expired = [each for each in pending if world.orders[each].expires_at < world.now]
    return CancelOtcOrder(rng.choice(expired or pending)) if pending else None


def missing_cash(world: World) -> int:
    """What L1 and L2 lack to settle everything due."""
    due = sum(world.requests[each].gross for each in world.due())
    return max(due * 103 // 100 + world.redemption_fees - world.liquidity, 0) if due else 0


def _budget(world: World) -> int:
    """Cash beyond the part that is always kept and what is due."""
    due = sum(world.requests[each].gross for each in world.due())
    return max(world.spendable_cash - world.gross_assets * _CASH_KEPT_BPS // BPS_ONE - due, 0)


def _shortfall_bps(world: World, tier: int) -> int:
    return world.targets_bps[tier] - world.layer_value(tier) * BPS_ONE // max(world.gross_assets, 1)


def _lowest_tier(world: World) -> int:
    return max(range(3), key=lambda tier: _shortfall_bps(world, tier))


def _highest_tier(world: World) -> int:
    return min(range(3), key=lambda tier: _shortfall_bps(world, tier))
