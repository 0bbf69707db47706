"""The rows that must be loaded before a batch of events can be folded."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, get_args

from paimon.domain.asset.otc_order import OrderKey
from paimon.domain.events import (
    AssetEvent,
    FundEvent,
    ManagementFeeCollected,
    OrderEvent,
    PerformanceFeeCollected,
    RedemptionEvent,
    RedemptionFeeAdded,
    RedemptionFeeReduced,
    RedemptionFeesWithdrawn,
    TokenTransfer,
)
from paimon.domain.kernel.chain import Address
from paimon.domain.vault.share_balance import ShareEvent, share_changes

FEE_EVENTS: Final = (
    ManagementFeeCollected,
    PerformanceFeeCollected,
    RedemptionFeeAdded,
    RedemptionFeeReduced,
    RedemptionFeesWithdrawn,
    TokenTransfer,  # it may be a fee collection
)


@dataclass(frozen=True, slots=True)
class RequiredRows:
    """Keys of the required rows. `fees` says whether the rows of fees and their recipient are required."""

    requests: frozenset[int] = frozenset()
    holders: frozenset[Address] = frozenset()
    assets: frozenset[Address] = frozenset()
    orders: frozenset[OrderKey] = frozenset()
    tokens: frozenset[Address] = frozenset()
    fees: bool = False


def required_rows(events: Iterable[FundEvent]) -> RequiredRows:
    """Collect the keys of the rows these events need."""
    by_type: dict[type[FundEvent], list[Any]] = defaultdict(list)
    for event in events:
        by_type[type(event)].append(event)

    def events_of(*kinds: type[FundEvent]) -> Iterator[Any]:
        return (event for kind in kinds for event in by_type.get(kind, ()))

    return RequiredRows(
        requests=frozenset(event.request_id for event in events_of(*get_args(RedemptionEvent))),
        holders=frozenset(change.holder for event in events_of(*get_args(ShareEvent)) for change in share_changes(event)),
        assets=frozenset(event.token for event in events_of(*get_args(AssetEvent))),
        orders=frozenset((event.emitter, event.order_id) for event in events_of(*get_args(OrderEvent))),
        tokens=frozenset(event.emitter for event in events_of(TokenTransfer)),
        fees=any(events_of(*FEE_EVENTS)),
    )
