"""Propose actions of the fund's admin, and calls that any account may make: fees, terms, roles, pauses, emergencies.

Each function proposes one action, or returns None when the state does not allow it.
"""

from random import Random
from typing import Final

from paimon_devkit.market.actions import (
    USDT,
    AccrueManagementFee,
    AccruePerformanceFee,
    Action,
    CollectFees,
    DelistAsset,
    EmergencyOff,
    EmergencyOn,
    EmergencyWithdraw,
    GrantRole,
    ListAsset,
    MoveWindow,
    Pause,
    RefreshCache,
    RevokeRole,
    SetFeeRecipient,
    SetHighWaterMark,
    SetLayerConfig,
    SetPurchaseTerms,
    SwitchRoute,
    Unpause,
    UpdateNav,
    WithdrawRedemptionFees,
)
from paimon_devkit.market.config import ADMIN, GUEST_ASSET, GUESTS, TREASURY, MarketConfig, random_part
from paimon_devkit.market.market_state import BPS_ONE, CONTROLLER, DAY, MANAGER, VAULT, WAD, MarketState, RedemptionChannel

_AUTO: Final = 2
GUEST_ROLES: Final = (
    (MANAGER, "VIP_APPROVER_ROLE"),
    (CONTROLLER, "REBALANCER_ROLE"),
    (VAULT, "ADMIN_ROLE"),
    (VAULT, "OPERATOR_ROLE"),
)


def refresh_cache(_rng: Random, _state: MarketState, _config: MarketConfig) -> Action | None:
    return RefreshCache()


def update_nav(_rng: Random, _state: MarketState, _config: MarketConfig) -> Action | None:
    return UpdateNav()


def accrue_management_fee(_rng: Random, _state: MarketState, _config: MarketConfig) -> Action | None:
    return AccrueManagementFee()


def accrue_performance_fee(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Accrue the fee, mostly not when purchases lifted L3 above its mark: then they would be charged as a gain."""
    bought = state.layer_value(2) > state.high_water_mark * 103 // 100
    return None if bought and rng.randrange(10) else AccruePerformanceFee()


def set_high_water_mark(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Set the mark to the present value after a purchase of L3, which would be charged as a gain; seldom downwards."""
    value = state.layer_value(2)
    return SetHighWaterMark(value) if value > state.high_water_mark or rng.randrange(8) == 0 else None


def collect_fees(_rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    payable = state.pending_fees and state.pending_fees * 2 < state.spendable_cash
    return CollectFees() if payable else None


def withdraw_redemption_fees(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    if state.redemption_fees < WAD or state.cash < state.redemption_fees:
        return None
    return WithdrawRedemptionFees(max(random_part(rng, state.redemption_fees, 2_000, 9_000), 1))


def set_fee_recipient(_rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    return SetFeeRecipient(ADMIN if state.fee_recipient == TREASURY else TREASURY)


def set_layer_config(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Change one tier at a time; in between the three need not add up."""
    tier = rng.randrange(3)
    mean = {0: 1_000, 1: 3_000, 2: 6_000}[tier]
    target = mean + rng.randint(-100, 100) if state.targets_bps[tier] == mean else mean
    return SetLayerConfig(tier, target, target // 2, min(target * 3 // 2, BPS_ONE))


def set_purchase_terms(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Open a subscription window, close it for some days, or remove it."""
    symbol = rng.choice([symbol for symbol, asset in state.assets.items() if asset.listed and asset.tier > 0])
    asset = state.assets[symbol]
    if not asset.is_buyable(state.now) or asset.closes_at:
        window = (0, 0)
    else:
        opens_at = state.now + rng.choice((0, 0, rng.randint(1, 5) * DAY))
        window = (opens_at, opens_at + rng.randint(5, 30) * DAY)
    return SetPurchaseTerms(symbol, asset.method, rng.choice((0, 100, 150, 200)), asset.minimum, *window)


def switch_route(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    switchable = [symbol for symbol, asset in state.assets.items() if asset.has_adapter and asset.method == _AUTO]
    on_swap_market = [symbol for symbol in switchable if not state.assets[symbol].through_adapter]
    if not switchable:
        return None
    return SwitchRoute(on_swap_market[0], True) if on_swap_market else SwitchRoute(rng.choice(switchable), False)


def list_asset(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    asset = state.assets.get(GUEST_ASSET)
    return ListAsset(GUEST_ASSET, asset.tier, rng.randint(100, 400)) if asset and not asset.listed else None


def delist_asset(_rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    asset = state.assets.get(GUEST_ASSET)
    if asset is None or not asset.listed or CONTROLLER in state.paused:
        return None
    return DelistAsset(GUEST_ASSET, asset.tokens)


def grant_role(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    contract, role = rng.choice(GUEST_ROLES)
    grant = (contract, role, rng.choice(GUESTS))
    return None if grant in state.grants else GrantRole(*grant)


def revoke_role(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    return RevokeRole(*rng.choice(sorted(state.grants))) if state.grants else None


def pause(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    running = [contract for contract in (VAULT, MANAGER, CONTROLLER) if contract not in state.paused]
    return Pause(rng.choice(running)) if len(running) > 1 else None


def unpause(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    return Unpause(rng.choice(sorted(state.paused))) if state.paused else None


def emergency_on(_rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    return None if state.emergency else EmergencyOn()


def emergency_off(_rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    return EmergencyOff() if state.emergency else None


def move_window(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Move a booked window, mostly earlier, sometimes later, never into the past."""
    booked = sorted({
        request.window_id
        for request in state.requests.values()
        if request.channel is RedemptionChannel.SCHEDULED and request.due_at > state.now
    })  # fmt: skip
    if not booked:
        return None
    window_id = rng.choice(booked)
    due_at = next(request.due_at for request in state.requests.values() if request.window_id == window_id)
    days = rng.randint(-20, 5)
    return MoveWindow(window_id, max(due_at + days * DAY, state.now + DAY))


def emergency_withdraw(rng: Random, state: MarketState, _config: MarketConfig) -> Action | None:
    """Withdraw a small amount; what matters is that the fund emits no event for it."""
    symbol = rng.choice((USDT, *(symbol for symbol, asset in state.assets.items() if asset.tokens > 10_000)))
    holding = min(state.spendable_cash, 5_000 * WAD) if symbol == USDT else state.holding(symbol)
    amount = holding * rng.randint(1, 10) // 100_000
    return EmergencyWithdraw(symbol, amount) if amount else None
