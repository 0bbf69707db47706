"""The world after an action, as the contracts would most likely have it."""

from paimon.gateway.cli.market.actions import (
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
    RequestEmergency,
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
from paimon.gateway.cli.market.world import (
    BPS_ONE,
    DAY,
    NOTICE_SECONDS,
    WAD,
    Asset,
    Channel,
    Order,
    OrderStatus,
    Request,
    RequestStatus,
    World,
)

_APPROVAL_AMOUNT = {Channel.STANDARD: 100_000 * WAD, Channel.EMERGENCY: 30_000 * WAD}
_DELAY_SECONDS = {Channel.STANDARD: 7 * DAY, Channel.EMERGENCY: DAY}


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
            _flows(world, action)
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


def _flows(world: World, action: Action) -> None:
    match action:
        case Deposit(investor=name, amount=amount):
            _issue(world, name, amount, world.shares_for(amount))
        case MintShares(investor=name, shares=shares):
            _issue(world, name, shares * (world.net_assets + 1) // (world.supply + 1) + 1, shares)
        case TransferShares(sender=sender, receiver=receiver, shares=shares):
            world.investors[sender].shares -= shares
            world.investors[receiver].shares += shares
        case RequestRedemption():
            _open(world, action)
        case CancelRequest(request_id=request_id) | Reject(request_id=request_id):
            request = world.requests[request_id]
            _close(world, request_id)
            if request.owner in world.investors:
                world.investors[request.owner].shares += request.shares
        case Approve(request_id=request_id):
            request = world.requests[request_id]
            request.status = RequestStatus.APPROVED
            request.due_at = world.now + _DELAY_SECONDS[request.channel]
        case Settle(request_id=request_id) | SettleScheduled(request_id=request_id):
            _settle(world, request_id)
        case SettleBatch(count=count):
            for request_id in [each for each in world.due() if world.requests[each].channel is not Channel.SCHEDULED][:count]:
                _settle(world, request_id)


def _issue(world: World, name: str, usdt: int, shares: int) -> None:
    investor = world.investors[name]
    investor.usdt -= usdt
    investor.shares += shares
    world.cash += usdt
    world.supply += shares


def _open(world: World, action: RequestRedemption) -> None:
    gross = action.shares * world.share_price // WAD
    emergency = isinstance(action, RequestEmergency)
    channel = Channel.EMERGENCY if emergency else Channel.STANDARD
    if not emergency and gross * BPS_ONE >= world.net_assets * 200:
        channel = Channel.SCHEDULED
    request = Request(action.investor, action.receiver, action.shares, gross, channel, RequestStatus.PENDING)
    if channel is Channel.SCHEDULED:
        request.window_id, request.due_at = world.window_after(world.now + NOTICE_SECONDS)
    elif needs_approval(world, gross, channel):
        request.status = RequestStatus.PENDING_APPROVAL
    else:
        request.due_at = world.now + _DELAY_SECONDS[channel]
    world.request_count += 1
    world.requests[world.request_count] = request
    investor = world.investors[action.investor]
    investor.shares -= action.shares
    investor.locked += action.shares
    world.locked += action.shares
    world.liability += gross


def needs_approval(world: World, gross: int, channel: Channel) -> bool:
    """As RedemptionRules.sol: inclusive for STANDARD, exclusive for EMERGENCY."""
    if channel is Channel.STANDARD:
        return gross >= _APPROVAL_AMOUNT[channel] or gross * BPS_ONE >= world.liquidity * 500
    return gross > _APPROVAL_AMOUNT[channel] or gross * BPS_ONE > world.layer_value(0) * 1_000


def _close(world: World, request_id: int) -> None:
    request = world.requests.pop(request_id)
    if request.owner in world.investors:
        world.investors[request.owner].locked -= request.shares
    world.locked -= request.shares
    world.liability -= request.gross


def _settle(world: World, request_id: int) -> None:
    request = world.requests[request_id]
    if world.spendable_cash < request.gross:
        _liquidate(world, request.gross - world.spendable_cash, tier_max=1)
    if world.spendable_cash < request.gross:
        return  # it will revert: the fund cannot pay it yet
    bps = 10 + (20 if request.gross > 50_000 * WAD else 0) + (20 if request.gross > 100_000 * WAD else 0)
    bps += 100 if request.channel is Channel.EMERGENCY else 0
    fee = request.gross * bps // BPS_ONE
    _close(world, request_id)
    world.supply -= request.shares
    world.cash -= request.gross - fee
    world.redemption_fees += fee
    if request.receiver in world.investors:
        world.investors[request.receiver].usdt += request.gross - fee


def _liquidate(world: World, amount: int, *, tier_max: int) -> None:
    """L1 yield, then L2; never L3."""
    for tier in range(min(tier_max, 1) + 1):
        for asset in [each for each in world.assets.values() if each.tier == tier and each.listed]:
            if amount <= 0:
                return
            tokens = min(asset.tokens_for(amount * BPS_ONE // (BPS_ONE - 100)) + 1, asset.tokens)
            amount -= _sell(world, asset, tokens)


def _sell(world: World, asset: Asset, tokens: int) -> int:
    received = asset.worth(tokens) * (BPS_ONE - asset.impact_bps) // BPS_ONE
    asset.tokens -= tokens
    world.cash += received
    return received


def _buy(world: World, asset: Asset, usdt: int) -> None:
    world.cash -= usdt
    asset.tokens += asset.tokens_for(usdt) * (BPS_ONE - asset.impact_bps) // BPS_ONE


def _portfolio(world: World, action: Action) -> None:
    match action:
        case Buy(symbol=symbol, amount=amount):
            _buy(world, world.assets[symbol], amount)
        case Sell(symbol=symbol, tokens=tokens):
            _sell(world, world.assets[symbol], tokens)
        case AllocateToLayer(tier=tier, amount=amount):
            assets = [each for each in world.assets.values() if each.tier == tier and each.listed]
            weights = sum(each.allocation_bps for each in assets)
            for asset in assets:
                part = amount * asset.allocation_bps // weights
                if part and part >= asset.minimum and asset.is_buyable(world.now):
                    _buy(world, asset, part)
        case Waterfall(amount=amount, tier_max=tier_max):
            _liquidate(world, amount, tier_max=tier_max)
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
            missing -= _sell(world, asset, min(asset.tokens_for(missing * BPS_ONE // (BPS_ONE - 100)) + 1, asset.tokens))


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
            _sell(world, world.assets[symbol], tokens)
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
