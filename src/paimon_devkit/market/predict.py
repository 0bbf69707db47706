"""Predict the state after an action, as the contracts will most likely have it."""

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
    PublishStalePrice,
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
from paimon_devkit.market.flows import apply_flow, buy, liquidate, sell
from paimon_devkit.market.market_state import BPS_ONE, MarketState, Order, OrderStatus


def predict(state: MarketState, action: Action) -> None:
    """Change the state as the action should change the chain."""
    match action:
        case PassTime(seconds=seconds):
            state.now += seconds
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
            apply_flow(state, action)
        case MovePrices(quotes=quotes):
            for symbol, price in quotes:
                state.assets[symbol].price = price
        case ShockPrice(symbol=symbol, price=price) | PublishStalePrice(symbol=symbol, price=price):
            state.assets[symbol].price = price
        case SetImpact(symbol=symbol, impact_bps=impact):
            state.assets[symbol].impact_bps = impact
        case EarnYield(symbol=symbol, amount=amount):
            state.earned[symbol] = state.earned.get(symbol, 0) + amount
        case _:
            _apply_portfolio_action(state, action)


def _apply_portfolio_action(state: MarketState, action: Action) -> None:
    match action:
        case Buy(symbol=symbol, amount=amount):
            buy(state, state.assets[symbol], amount)
        case Sell(symbol=symbol, tokens=tokens):
            sell(state, state.assets[symbol], tokens)
        case AllocateToLayer(tier=tier, amount=amount):
            assets = [asset for asset in state.assets.values() if asset.tier == tier and asset.listed]
            weights = sum(asset.allocation_bps for asset in assets)
            for asset in assets:
                part = amount * asset.allocation_bps // weights
                if part and part >= asset.minimum and asset.is_buyable(state.now):
                    buy(state, asset, part)
        case Waterfall(amount=amount, tier_max=tier_max):
            liquidate(state, amount, tier_max=tier_max)
        case RebalanceBuffer():
            _refill_buffer(state)
        case CompoundYield():
            for symbol, earned in state.earned.items():
                if state.assets[symbol].through_adapter:
                    state.assets[symbol].tokens += state.assets[symbol].tokens_for(earned)
                    state.earned[symbol] = 0
        case CreateOtcOrder(symbol=symbol, amount=amount, tokens=tokens, expires_in_seconds=expires_in):
            state.order_count += 1
            state.orders[state.order_count] = Order(symbol, amount, tokens, OrderStatus.PENDING, state.now + expires_in)
        case PayOtcOrder(order_id=order_id):
            state.orders[order_id].status = OrderStatus.PAID
            state.cash -= state.orders[order_id].usdt
        case DeliverOtcOrder(order_id=order_id, symbol=symbol, tokens=tokens):
            del state.orders[order_id]
            state.assets[symbol].tokens += tokens
        case CancelOtcOrder(order_id=order_id):
            del state.orders[order_id]
        case _:
            _apply_admin_action(state, action)


def _refill_buffer(state: MarketState) -> None:
    target = state.gross_assets * state.targets_bps[0] // BPS_ONE
    missing = target - state.layer_value(0)
    for asset in [asset for asset in state.assets.values() if asset.tier == 1 and asset.listed]:
        if missing > 0:
            missing -= sell(state, asset, min(asset.tokens_for(missing * BPS_ONE // (BPS_ONE - 100)) + 1, asset.tokens))


def _apply_admin_action(state: MarketState, action: Action) -> None:
    match action:
        case SetHighWaterMark(value=value):
            state.high_water_mark = value
        case CollectFees():
            state.cash -= state.pending_fees
            state.pending_fees = 0
        case WithdrawRedemptionFees(amount=amount):
            state.redemption_fees -= amount
            state.cash -= amount
        case SetFeeRecipient(recipient=recipient):
            state.fee_recipient = recipient
        case SetLayerConfig(tier=tier, target_bps=target):
            state.targets_bps[tier] = target
        case UpdateAllocation(symbol=symbol, allocation_bps=allocation):
            state.assets[symbol].allocation_bps = allocation
        case SetPurchaseTerms(symbol=symbol) as terms:
            asset = state.assets[symbol]
            asset.method, asset.slippage_bps, asset.minimum = terms.method, terms.slippage_bps, terms.minimum
            asset.opens_at, asset.closes_at = terms.opens_at, terms.closes_at
        case SwitchRoute(symbol=symbol, through_adapter=through_adapter):
            state.assets[symbol].through_adapter = through_adapter
        case ListAsset(symbol=symbol, allocation_bps=allocation):
            asset = state.assets[symbol]
            asset.listed, asset.allocation_bps, asset.minimum = True, allocation, 0
            asset.opens_at, asset.closes_at = 0, 0
        case DelistAsset(symbol=symbol, tokens=tokens):
            sell(state, state.assets[symbol], tokens)
            state.assets[symbol].listed = False
        case GrantRole(contract=contract, role=role, account=account):
            state.grants.add((contract, role, account))
        case RevokeRole(contract=contract, role=role, account=account):
            state.grants.discard((contract, role, account))
        case Pause(contract=contract):
            state.paused.add(contract)
        case Unpause(contract=contract):
            state.paused.discard(contract)
        case EmergencyOn() | EmergencyOff():
            state.emergency = isinstance(action, EmergencyOn)
        case MoveWindow(window_id=window_id, settles_at=settles_at):
            state.moved_windows[window_id] = settles_at
            for request in state.requests.values():
                if request.window_id == window_id:
                    request.due_at = settles_at
        case EmergencyWithdraw(symbol=symbol, amount=amount):
            if symbol == USDT:
                state.cash -= amount
            else:
                state.assets[symbol].tokens -= amount
