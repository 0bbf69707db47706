"""Predict the flows: deposits issue shares, requests lock them, settlements burn them."""

from itertools import islice

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
    MarketState,
    RedemptionChannel,
    Request,
    RequestStatus,
)

_APPROVAL_AMOUNT = {RedemptionChannel.STANDARD: 100_000 * WAD, RedemptionChannel.EMERGENCY: 30_000 * WAD}
_DELAY_SECONDS = {RedemptionChannel.STANDARD: 7 * DAY, RedemptionChannel.EMERGENCY: DAY}


def apply_flow(state: MarketState, action: Action) -> None:
    """Change the state as an action of an investor or approver, or a settlement, should change the chain."""
    match action:
        case Deposit(investor=name, amount=amount):
            _issue_shares(state, name, amount, state.shares_for(amount))
        case MintShares(investor=name, shares=shares):
            _issue_shares(state, name, shares * (state.net_assets + 1) // (state.supply + 1) + 1, shares)
        case TransferShares(sender=sender, receiver=receiver, shares=shares):
            state.investors[sender].shares -= shares
            state.investors[receiver].shares += shares
        case RequestRedemption():
            _open_request(state, action)
        case CancelRequest(request_id=request_id) | Reject(request_id=request_id):
            request = state.requests[request_id]
            _close_request(state, request_id)
            if request.owner in state.investors:
                state.investors[request.owner].shares += request.shares
        case Approve(request_id=request_id):
            request = state.requests[request_id]
            request.status = RequestStatus.APPROVED
            request.due_at = state.now + _DELAY_SECONDS[request.channel]
        case Settle(request_id=request_id) | SettleScheduled(request_id=request_id):
            _settle(state, request_id)
        case SettleBatch(count=count):
            due = (number for number in state.due() if state.requests[number].channel is not RedemptionChannel.SCHEDULED)
            for request_id in list(islice(due, count)):
                _settle(state, request_id)


def _issue_shares(state: MarketState, name: str, usdt: int, shares: int) -> None:
    investor = state.investors[name]
    investor.usdt -= usdt
    investor.shares += shares
    state.cash += usdt
    state.supply += shares


def _open_request(state: MarketState, action: RequestRedemption) -> None:
    gross = action.shares * state.share_price // WAD
    emergency = isinstance(action, RequestEmergency)
    channel = RedemptionChannel.EMERGENCY if emergency else RedemptionChannel.STANDARD
    if not emergency and gross * BPS_ONE >= state.net_assets * 200:
        channel = RedemptionChannel.SCHEDULED
    request = Request(action.investor, action.receiver, action.shares, gross, channel, RequestStatus.PENDING)
    if channel is RedemptionChannel.SCHEDULED:
        request.window_id, request.due_at = state.window_after(state.now + NOTICE_SECONDS)
    elif needs_approval(state, gross, channel):
        request.status = RequestStatus.PENDING_APPROVAL
    else:
        request.due_at = state.now + _DELAY_SECONDS[channel]
    state.request_count += 1
    state.requests[state.request_count] = request
    investor = state.investors[action.investor]
    investor.shares -= action.shares
    investor.locked += action.shares
    state.locked += action.shares
    state.liability += gross


def needs_approval(state: MarketState, gross: int, channel: RedemptionChannel) -> bool:
    """Return whether a request needs approval. Source: RedemptionRules.sol; inclusive for STANDARD, exclusive for EMERGENCY."""
    if channel is RedemptionChannel.STANDARD:
        return gross >= _APPROVAL_AMOUNT[channel] or gross * BPS_ONE >= state.liquidity * 500
    return gross > _APPROVAL_AMOUNT[channel] or gross * BPS_ONE > state.layer_value(0) * 1_000


def _close_request(state: MarketState, request_id: int) -> None:
    request = state.requests.pop(request_id)
    if request.owner in state.investors:
        state.investors[request.owner].locked -= request.shares
    state.locked -= request.shares
    state.liability -= request.gross


def _settle(state: MarketState, request_id: int) -> None:
    request = state.requests[request_id]
    if state.spendable_cash < request.gross:
        liquidate(state, request.gross - state.spendable_cash, tier_max=1)
    if state.spendable_cash < request.gross:
        return  # it reverts: the fund cannot pay it yet
    bps = 10 + (20 if request.gross > 50_000 * WAD else 0) + (20 if request.gross > 100_000 * WAD else 0)
    bps += 100 if request.channel is RedemptionChannel.EMERGENCY else 0
    fee = request.gross * bps // BPS_ONE
    _close_request(state, request_id)
    state.supply -= request.shares
    state.cash -= request.gross - fee
    state.redemption_fees += fee
    if request.receiver in state.investors:
        state.investors[request.receiver].usdt += request.gross - fee


def liquidate(state: MarketState, amount: int, *, tier_max: int) -> None:
    """Sell assets of L1, then of L2, for this amount; never of L3."""
    for tier in range(min(tier_max, 1) + 1):
        for asset in [asset for asset in state.assets.values() if asset.tier == tier and asset.listed]:
            if amount <= 0:
                return
            tokens = min(asset.tokens_for(amount * BPS_ONE // (BPS_ONE - 100)) + 1, asset.tokens)
            amount -= sell(state, asset, tokens)


def sell(state: MarketState, asset: Asset, tokens: int) -> int:
    """Sell tokens of an asset and return the USDT received."""
    received = asset.worth(tokens) * (BPS_ONE - asset.impact_bps) // BPS_ONE
    asset.tokens -= tokens
    state.cash += received
    return received


def buy(state: MarketState, asset: Asset, usdt: int) -> None:
    """Buy tokens of an asset for an amount of USDT."""
    state.cash -= usdt
    asset.tokens += asset.tokens_for(usdt) * (BPS_ONE - asset.impact_bps) // BPS_ONE
