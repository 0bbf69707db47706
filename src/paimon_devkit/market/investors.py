"""Propose actions of investors, approvers and third parties.

Each function proposes one action within the account's means, or returns None when the state does not allow it.
"""

from collections.abc import Sequence
from random import Random
from typing import Final

from paimon_devkit.market.actions import (
    Action,
    Approve,
    CancelRequest,
    Deposit,
    MintShares,
    Reject,
    RequestEmergency,
    RequestScheduled,
    RequestStandard,
    Settle,
    SettleBatch,
    SettleScheduled,
    TransferShares,
)
from paimon_devkit.market.config import APPROVERS, GUESTS, MarketConfig, is_left_to_app, random_part
from paimon_devkit.market.market_state import BPS_ONE, MANAGER, VAULT, WAD, MarketState, RedemptionChannel, RequestStatus

_MINIMUM_DEPOSIT: Final = 500 * WAD
_SMALLEST_REQUEST: Final = WAD
_STANDARD_BPS_MAX: Final = 190  # of net assets; at 200 the chain makes it SCHEDULED
_SCHEDULED_BPS_MIN: Final = 205
_BATCH_REQUESTS_MAX: Final = 400  # a batch scans from the first request: beyond these it costs a block's gas
_REASONS: Final = ("source of funds unclear", "signature of the mandate is missing", "too large at this liquidity")


def deposit(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Deposit a small part of the balance; seldom most of it."""
    if VAULT in state.paused:
        return None
    name = _pick_investor(rng, [name for name, investor in state.investors.items() if investor.usdt >= 2 * _MINIMUM_DEPOSIT])
    if name is None:
        return None
    low, high = (3_000, 8_000) if rng.randrange(40) == 0 else (20, 800)
    balance = state.investors[name].usdt
    return Deposit(name, max(random_part(rng, balance, low, high), _MINIMUM_DEPOSIT))


def mint_shares(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Mint a number of shares at their price: the vault's other way to deposit."""
    if VAULT in state.paused:
        return None
    name = _pick_investor(rng, [name for name, investor in state.investors.items() if investor.usdt >= 20 * _MINIMUM_DEPOSIT])
    if name is None:
        return None
    target_usdt = max(random_part(rng, state.investors[name].usdt, 100, 1_000), 2 * _MINIMUM_DEPOSIT)
    return MintShares(name, state.shares_for(target_usdt))


def transfer_shares(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    sender = _pick_investor(rng, [name for name, investor in state.investors.items() if investor.redeemable > WAD])
    if sender is None:
        return None
    receiver = rng.choice([name for name in state.investors if name != sender])
    return TransferShares(sender, receiver, max(random_part(rng, state.investors[sender].redeemable, 50, 1_500), 1))


def request_standard(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    if MANAGER in state.paused:
        return None
    shares_max = _shares_worth(state, state.net_assets * _STANDARD_BPS_MAX // BPS_ONE)
    return _request(rng, state, RequestStandard, _SMALLEST_REQUEST, shares_max)


def request_scheduled(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Request a large redemption, unless a tenth of the fund is owed already: the fund would have to sell L3."""
    if MANAGER in state.paused or state.liability * 10 > state.gross_assets:
        return None
    shares_min = _shares_worth(state, state.net_assets * _SCHEDULED_BPS_MIN // BPS_ONE)
    return _request(rng, state, RequestScheduled, shares_min, 2 * shares_min)


def request_emergency(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Request an emergency redemption, which the manager's pause does not stop."""
    if not state.emergency:
        return None
    return _request(rng, state, RequestEmergency, _SMALLEST_REQUEST, _shares_worth(state, state.net_assets // 100))


def cancel_request(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    cancellable = [
        request_id
        for request_id, request in state.requests.items()
        if request.owner in state.investors and request.status is not RequestStatus.APPROVED and not request.is_due(state.now)
    ]
    if not cancellable:
        return None
    request_id = rng.choice(cancellable)
    return CancelRequest(state.requests[request_id].owner, request_id)


def approve(rng: Random, state: MarketState, config: MarketConfig) -> Action | None:
    request_id = _oldest_awaiting(state, config)
    return None if request_id is None else Approve(rng.choice(_voters(state)), request_id)


def reject(rng: Random, state: MarketState, config: MarketConfig) -> Action | None:
    request_id = _oldest_awaiting(state, config)
    return None if request_id is None else Reject(rng.choice(_voters(state)), request_id, rng.choice(_REASONS))


def settle(rng: Random, state: MarketState, config: MarketConfig) -> Action | None:
    request_id = _due(rng, state, config, scheduled=False)
    return None if request_id is None else Settle(request_id)


def settle_scheduled(rng: Random, state: MarketState, config: MarketConfig) -> Action | None:
    request_id = _due(rng, state, config, scheduled=True)
    return None if request_id is None else SettleScheduled(request_id)


def settle_batch(rng: Random, state: MarketState, config: MarketConfig) -> Action | None:
    if state.request_count > _BATCH_REQUESTS_MAX or config.settlements_left_bps:
        return None
    due = [number for number in state.due() if state.requests[number].channel is not RedemptionChannel.SCHEDULED]
    return SettleBatch(rng.randint(1, 3)) if due else None


def _request(
    rng: Random,
    state: MarketState,
    kind: type[RequestStandard] | type[RequestScheduled] | type[RequestEmergency],
    shares_min: int,
    shares_max: int,
) -> Action | None:
    """Request shares between the bounds and within what the investor may redeem; one in twelve pays another account."""
    name = _pick_investor(rng, [name for name, investor in state.investors.items() if investor.redeemable >= shares_min])
    if name is None or shares_max < shares_min:
        return None
    redeemable = state.investors[name].redeemable
    low, high = (2_000, 6_000) if rng.randrange(12) == 0 else (30, 1_000)
    shares = min(max(random_part(rng, redeemable, low, high), shares_min), shares_max, redeemable)
    receiver = rng.choice(list(state.investors)) if rng.randrange(12) == 0 else name
    return kind(name, shares, receiver)


def _shares_worth(state: MarketState, usdt: int) -> int:
    return usdt * WAD // max(state.share_price, 1)


def _pick_investor(rng: Random, names: Sequence[str]) -> str | None:
    return rng.choice(names) if names else None


def _voters(state: MarketState) -> list[str]:
    guests = [guest for guest in GUESTS if (MANAGER, "VIP_APPROVER_ROLE", guest) in state.grants]
    return [*APPROVERS, *guests]


def _oldest_awaiting(state: MarketState, config: MarketConfig) -> int | None:
    awaiting = (
        request_id
        for request_id, request in state.requests.items()
        if request.status is RequestStatus.PENDING_APPROVAL and not is_left_to_app(request_id, config.approvals_left_bps)
    )
    return min(awaiting, default=None)


def _due(rng: Random, state: MarketState, config: MarketConfig, *, scheduled: bool) -> int | None:
    """Return the oldest due request that the fund can pay; seldom one that it cannot, whose settlement must revert."""
    ignore_cash = rng.randrange(40) == 0
    for request_id in state.due():
        request = state.requests[request_id]
        if (request.channel is RedemptionChannel.SCHEDULED) is not scheduled or is_left_to_app(
            request_id, config.settlements_left_bps
        ):
            continue
        if ignore_cash or request.gross * 102 // 100 <= state.liquidity - state.redemption_fees:
            return request_id
    return None
