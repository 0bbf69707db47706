"""The world after an action, as the contracts would most likely have it."""

from paimon_devkit.market.actions import (
    USDT,
    Action,
    AllocateToLayer,
    Approve,
    Buy,
    CancelOtcOrder,
    CancelRequest,
    CollectFees,
    CompoundYield,
    CreateOtcOrder,
    DelistAsset,
    DeliverOtcOrder,
    Deposit,
    EarnYield,
    EmergencyOff,
    EmergencyOn,
    EmergencyWithdraw,
    GrantRole,
    ListAsset,
    MintShares,
    MovePrices,
    MoveWindow,
    PassTime,
    Pause,
    PayOtcOrder,
    QuoteLate,
    RebalanceBuffer,
    Reject,
    RequestRedemption,
    RevokeRole,
    Sell,
    SetFeeRecipient,
    SetHighWaterMark,
    SetImpact,
    SetLayerConfig,
    SetPurchaseTerms,
    Settle,
    SettleBatch,
    SettleScheduled,
    ShockPrice,
    SwitchRoute,
    TransferShares,
    Unpause,
    UpdateAllocation,
    Waterfall,
    WithdrawRedemptionFees,
)
from paimon_devkit.market.flows import buy, flows, liquidate, sell
from paimon_devkit.market.market_state import (
    BPS_ONE,
    Order,
    OrderStatus,
    World,
)


def predict(world: World, action: Action) -> None:
    """Change `world` as `action` should change the chain."""
    match action:
        case PassTime(seconds=seconds):
            world.now += seconds
        case (
            Deposit()
            | MintShares()
            | TransferShares()
            | RequestRedemption()
            | CancelRequest()
            | Approve()
            | Reject()
            | Settle()
            | SettleScheduled()
            | SettleBatch()
        ):
            flows(world, action)
        case MovePrices(quotes=quotes):
            for symbol, price in quotes:
                world.assets[symbol].price = price
        case ShockPrice(symbol=symbol, price=price) | QuoteLate(symbol=symbol, price=price):
            world.assets[symbol].price = price
        case SetImpact(symbol=symbol, impact_bps=impact):
            world.assets[symbol].impact_bps = impact
        case EarnYield(symbol=symbol, amount=amount):
            world.earned[symbol] = world.earned.get(symbol, 0) + amount
        case _:
            _portfolio(world, action)


def _portfolio(world: World, action: Action) -> None:
    match action:
        case Buy(symbol=symbol, amount=amount):
            buy(world, world.assets[symbol], amount)
        case Sell(symbol=symbol, tokens=tokens):
            sell(world, world.assets[symbol], tokens)
        case AllocateToLayer(tier=tier, amount=amount):
            assets = [each for each in world.assets.values() if each.tier == tier and each.listed]
            weights = sum(each.allocation_bps for each in assets)
            for asset in assets:
                part = amount * asset.allocation_bps // weights
                if part and part >= asset.minimum and asset.is_buyable(world.now):
                    buy(world, asset, part)
        case Waterfall(amount=amount, tier_max=tier_max):
            liquidate(world, amount, tier_max=tier_max)
        case RebalanceBuffer():
            _refill_buffer(world)
        case CompoundYield():
            for symbol, earned in world.earned.items():
                if world.assets[symbol].through_adapter:
                    world.assets[symbol].tokens += world.assets[symbol].tokens_for(earned)
                    world.earned[symbol] = 0
        case CreateOtcOrder(symbol=symbol, amount=amount, tokens=tokens, expires_in_seconds=expires_in):
            world.order_count += 1
            world.orders[world.order_count] = Order(symbol, amount, tokens, OrderStatus.PENDING, world.now + expires_in)
        case PayOtcOrder(order_id=order_id):
            world.orders[order_id].status = OrderStatus.PAID
            world.cash -= world.orders[order_id].usdt
        case DeliverOtcOrder(order_id=order_id, symbol=symbol, tokens=tokens):
            del world.orders[order_id]
            world.assets[symbol].tokens += tokens
        case CancelOtcOrder(order_id=order_id):
            del world.orders[order_id]
        case _:
            _administration(world, action)


def _refill_buffer(world: World) -> None:
    target = world.gross_assets * world.targets_bps[0] // BPS_ONE
    missing = target - world.layer_value(0)
    for asset in [each for each in world.assets.values() if each.tier == 1 and each.listed]:
        if missing > 0:
            missing -= sell(world, asset, min(asset.tokens_for(missing * BPS_ONE // (BPS_ONE - 100)) + 1, asset.tokens))


def _administration(world: World, action: Action) -> None:
    match action:
        case SetHighWaterMark(value=value):
            world.high_water_mark = value
        case CollectFees():
            world.cash -= world.pending_fees
            world.pending_fees = 0
        case WithdrawRedemptionFees(amount=amount):
            world.redemption_fees -= amount
            world.cash -= amount
        case SetFeeRecipient(recipient=recipient):
            world.fee_recipient = recipient
        case SetLayerConfig(tier=tier, target_bps=target):
            world.targets_bps[tier] = target
        case UpdateAllocation(symbol=symbol, allocation_bps=allocation):
            world.assets[symbol].allocation_bps = allocation
        case SetPurchaseTerms(symbol=symbol) as terms:
            asset = world.assets[symbol]
            asset.method, asset.slippage_bps, asset.minimum = terms.method, terms.slippage_bps, terms.minimum
            asset.opens_at, asset.closes_at = terms.opens_at, terms.closes_at
        case SwitchRoute(symbol=symbol, through_adapter=through_adapter):
            world.assets[symbol].through_adapter = through_adapter
        case ListAsset(symbol=symbol, allocation_bps=allocation):
            asset = world.assets[symbol]
            asset.listed, asset.allocation_bps, asset.minimum = True, allocation, 0
            asset.opens_at, asset.closes_at = 0, 0
        case DelistAsset(symbol=symbol, tokens=tokens):
            sell(world, world.assets[symbol], tokens)
            world.assets[symbol].listed = False
        case GrantRole(contract=contract, role=role, account=account):
            world.grants.add((contract, role, account))
        case RevokeRole(contract=contract, role=role, account=account):
            world.grants.discard((contract, role, account))
        case Pause(contract=contract):
            world.paused.add(contract)
        case Unpause(contract=contract):
            world.paused.discard(contract)
        case EmergencyOn() | EmergencyOff():
            world.emergency = isinstance(action, EmergencyOn)
        case MoveWindow(window_id=window_id, settles_at=settles_at):
            world.moved_windows[window_id] = settles_at
            for request in world.requests.values():
                if request.window_id == window_id:
                    request.due_at = settles_at
        case EmergencyWithdraw(symbol=symbol, amount=amount):
            if symbol == USDT:
                world.cash -= amount
            else:
                world.assets[symbol].tokens -= amount
