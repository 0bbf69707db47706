"""What a batch of events needs loaded before it can be folded."""

from collections.abc import Iterable
from dataclasses import dataclass

from paimon.domain.chain import Address
from paimon.domain.events import (
    AssetAdapterUpdated,
    AssetAdded,
    AssetAllocationUpdated,
    AssetRemoved,
    FundEvent,
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderPaid,
    RedemptionApproved,
    RedemptionCancelled,
    RedemptionFeeAdded,
    RedemptionFeeReduced,
    RedemptionFeesWithdrawn,
    RedemptionRejected,
    RedemptionRequested,
    RedemptionSettled,
    TokenTransfer,
)
from paimon.domain.events.money import ManagementFeeCollected, PerformanceFeeCollected
from paimon.domain.holding import movements
from paimon.domain.otc import OrderKey

REDEMPTION_EVENTS = (RedemptionRequested, RedemptionApproved, RedemptionRejected, RedemptionCancelled, RedemptionSettled)
ASSET_EVENTS = (AssetAdded, AssetRemoved, AssetAllocationUpdated, AssetAdapterUpdated)
ORDER_EVENTS = (OrderCreated, OrderPaid, OrderDelivered, OrderCancelled)
FEE_EVENTS = (
    ManagementFeeCollected,
    PerformanceFeeCollected,
    RedemptionFeeAdded,
    RedemptionFeeReduced,
    RedemptionFeesWithdrawn,
)


@dataclass(frozen=True, slots=True)
class Touched:
    """Keys of the rows; `fees` says whether the few rows about fees and their recipient are needed."""

    requests: frozenset[int] = frozenset()
    holders: frozenset[Address] = frozenset()
    assets: frozenset[Address] = frozenset()
    orders: frozenset[OrderKey] = frozenset()
    tokens: frozenset[Address] = frozenset()
    fees: bool = False


def touched(events: Iterable[FundEvent]) -> Touched:
    requests: set[int] = set()
    holders: set[Address] = set()
    assets: set[Address] = set()
    orders: set[OrderKey] = set()
    tokens: set[Address] = set()
    fees = False
    for event in events:
        if isinstance(event, REDEMPTION_EVENTS):
            requests.add(event.request_id)
        elif isinstance(event, ASSET_EVENTS):
            assets.add(event.token)
        elif isinstance(event, ORDER_EVENTS):
            orders.add((event.emitter, event.order_id))
        elif isinstance(event, TokenTransfer):
            tokens.add(event.emitter)
            fees = True  # it may turn out to be a collection of fees
        elif isinstance(event, FEE_EVENTS):
            fees = True
        else:
            holders.update(step.holder for step in movements(event))
    return Touched(frozenset(requests), frozenset(holders), frozenset(assets), frozenset(orders), frozenset(tokens), fees)
