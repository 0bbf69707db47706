"""The world after investors, approvers and settlements: deposits issue shares, requests lock them, settlements burn them."""

from paimon_devkit.market.actions import (
    Action,
    Approve,
    CancelRequest,
    Deposit,
    MintShares,
    Reject,
    RequestEmergency,
    RequestRedemption,
    Settle,
    SettleBatch,
    SettleScheduled,
    TransferShares,
)
from paimon_devkit.market.market_state import (
    BPS_ONE,
    DAY,
    NOTICE_SECONDS,
    WAD,
    Asset,
    Channel,
    Request,
    RequestStatus,
    World,
)

_APPROVAL_AMOUNT = {Channel.STANDARD: 100_000 * WAD, Channel.EMERGENCY: 30_000 * WAD}
_DELAY_SECONDS = {Channel.STANDARD: 7 * DAY, Channel.EMERGENCY: DAY}


def flows(world: World, action: Action) -> None:
    """Change `world` as one of those actions should change the chain."""
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
        liquidate(world, request.gross - world.spendable_cash, tier_max=1)
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


def liquidate(world: World, amount: int, *, tier_max: int) -> None:
    """L1 yield, then L2; never L3."""
    for tier in range(min(tier_max, 1) + 1):
        for asset in [each for each in world.assets.values() if each.tier == tier and each.listed]:
            if amount <= 0:
                return
            tokens = min(asset.tokens_for(amount * BPS_ONE // (BPS_ONE - 100)) + 1, asset.tokens)
            amount -= sell(world, asset, tokens)


def sell(world: World, asset: Asset, tokens: int) -> int:
    """The USDT it brings."""
    received = asset.worth(tokens) * (BPS_ONE - asset.impact_bps) // BPS_ONE
    asset.tokens -= tokens
    world.cash += received
    return received


def buy(world: World, asset: Asset, usdt: int) -> None:
    world.cash -= usdt
    asset.tokens += asset.tokens_for(usdt) * (BPS_ONE - asset.impact_bps) // BPS_ONE
