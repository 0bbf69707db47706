"""What investors, approvers and passers-by would do: each function proposes one action within its person's means, or None."""

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
from paimon_devkit.market.config import APPROVERS, GUESTS, MarketConfig, is_left, share_of
from paimon_devkit.market.market_state import BPS_ONE, MANAGER, VAULT, WAD, Channel, RequestStatus, World

_MINIMUM_DEPOSIT: Final = 500 * WAD
_SMALLEST_REQUEST: Final = WAD
_STANDARD_BPS_MAX: Final = 190  # of net assets; at 200 the chain makes it SCHEDULED
_SCHEDULED_BPS_MIN: Final = 205
_BATCH_REQUESTS_MAX: Final = 400  # a batch scans from the first request ever made: beyond these it costs a block's gas
_REASONS: Final = ("source of funds unclear", "signature of the mandate is missing", "too large at this liquidity")


def deposit(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    """Mostly a small part of the pocket; now and then most of it."""
    if VAULT in world.paused:
        return None
    name = _someone(rng, [name for name, each in world.investors.items() if each.usdt >= 2 * _MINIMUM_DEPOSIT])
    if name is None:
        return None
    low, high = (3_000, 8_000) if rng.randrange(40) == 0 else (20, 800)
    pocket = world.investors[name].usdt
    return Deposit(name, max(share_of(rng, pocket, low, high), _MINIMUM_DEPOSIT))


def mint_shares(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    """The other door of the vault: so many shares, at whatever they cost."""
    if VAULT in world.paused:
        return None
    name = _someone(rng, [name for name, each in world.investors.items() if each.usdt >= 20 * _MINIMUM_DEPOSIT])
    if name is None:
        return None
    wanted = max(share_of(rng, world.investors[name].usdt, 100, 1_000), 2 * _MINIMUM_DEPOSIT)
    return MintShares(name, world.shares_for(wanted))


def transfer_shares(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    sender = _someone(rng, [name for name, each in world.investors.items() if each.redeemable > WAD])
    if sender is None:
        return None
    receiver = rng.choice([name for name in world.investors if name != sender])
    return TransferShares(sender, receiver, max(share_of(rng, world.investors[sender].redeemable, 50, 1_500), 1))


def request_standard(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    if MANAGER in world.paused:
        return None
    shares_max = _shares_worth(world, world.net_assets * _STANDARD_BPS_MAX // BPS_ONE)
    return _request(rng, world, RequestStandard, _SMALLEST_REQUEST, shares_max)


def request_scheduled(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    """A large flow. Not while a tenth of the fund is owed already: it has to sell L3 for it."""
    if MANAGER in world.paused or world.liability * 10 > world.gross_assets:
        return None
    shares_min = _shares_worth(world, world.net_assets * _SCHEDULED_BPS_MIN // BPS_ONE)
    return _request(rng, world, RequestScheduled, shares_min, 2 * shares_min)


def request_emergency(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    """The manager's pause does not stop it."""
    if not world.emergency:
        return None
    return _request(rng, world, RequestEmergency, _SMALLEST_REQUEST, _shares_worth(world, world.net_assets // 100))


def cancel_request(rng: Random, world: World, _config: MarketConfig) -> Action | None:
    cancellable = [
        each
        for each, request in world.requests.items()
        if request.owner in world.investors and request.status is not RequestStatus.APPROVED and not request.is_due(world.now)
    ]
    if not cancellable:
        return None
    request_id = rng.choice(cancellable)
    return CancelRequest(world.requests[request_id].owner, request_id)


def approve(rng: Random, world: World, config: MarketConfig) -> Action | None:
    request_id = _oldest_awaiting(world, config)
    return None if request_id is None else Approve(rng.choice(_voters(world)), request_id)


def reject(rng: Random, world: World, config: MarketConfig) -> Action | None:
    request_id = _oldest_awaiting(world, config)
    return None if request_id is None else Reject(rng.choice(_voters(world)), request_id, rng.choice(_REASONS))


def settle(rng: Random, world: World, config: MarketConfig) -> Action | None:
    request_id = _due(rng, world, config, scheduled=False)
    return None if request_id is None else Settle(request_id)


def settle_scheduled(rng: Random, world: World, config: MarketConfig) -> Action | None:
    request_id = _due(rng, world, config, scheduled=True)
    return None if request_id is None else SettleScheduled(request_id)


def settle_batch(rng: Random, world: World, config: MarketConfig) -> Action | None:
    if world.request_count > _BATCH_REQUESTS_MAX or config.settlements_left_bps:
        return None
    due = [each for each in world.due() if world.requests[each].channel is not Channel.SCHEDULED]
    return SettleBatch(rng.randint(1, 3)) if due else None


def _request(
    rng: Random,
    world: World,
    kind: type[RequestStandard] | type[RequestScheduled] | type[RequestEmergency],
    shares_min: int,
    shares_max: int,
) -> Action | None:
    """Shares between the bounds and within what the investor may redeem; one time in twelve for another's account."""
    name = _someone(rng, [name for name, each in world.investors.items() if each.redeemable >= shares_min])
    if name is None or shares_max < shares_min:
        return None
    redeemable = world.investors[name].redeemable
    low, high = (2_000, 6_000) if rng.randrange(12) == 0 else (30, 1_000)
    shares = min(max(share_of(rng, redeemable, low, high), shares_min), shares_max, redeemable)
    receiver = rng.choice(list(world.investors)) if rng.randrange(12) == 0 else name
    return kind(name, shares, receiver)


def _shares_worth(world: World, usdt: int) -> int:
    return usdt * WAD // max(world.share_price, 1)


def _someone(rng: Random, names: Sequence[str]) -> str | None:
    return rng.choice(names) if names else None


def _voters(world: World) -> list[str]:
    guests = [each for each in GUESTS if (MANAGER, "VIP_APPROVER_ROLE", each) in world.grants]
    return [*APPROVERS, *guests]


def _oldest_awaiting(world: World, config: MarketConfig) -> int | None:
    awaiting = (each for each, request in world.requests.items() if request.status is RequestStatus.PENDING_APPROVAL)
    return min((each for each in awaiting if not is_left(each, config.approvals_left_bps)), default=None)


def _due(rng: Random, world: World, config: MarketConfig, *, scheduled: bool) -> int | None:
    """The oldest due request the fund can pay; now and then one it cannot, which then fails as it should."""
    reckless = rng.randrange(40) == 0
    for request_id in world.due():
        request = world.requests[request_id]
        if (request.channel is Channel.SCHEDULED) is not scheduled or is_left(request_id, config.settlements_left_bps):
            continue
        if reckless or request.gross * 102 // 100 <= world.liquidity - world.redemption_fees:
            return request_id
    return None
