"""What a batch of events needs loaded before it can be folded."""

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
from paimon.domain.vault.share_balance import ShareEvent, movements

FEE_EVENTS: Final = (
    ManagementFeeCollected,
    PerformanceFeeCollected,
    RedemptionFeeAdded,
    RedemptionFeeReduced,
    RedemptionFeesWithdrawn,
    TokenTransfer,  # it may turn out to be a collection of fees
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
    told: dict[type[FundEvent], list[Any]] = defaultdict(list)
    for event in events:
        told[type(event)].append(event)

    def those(*kinds: type[FundEvent]) -> Iterator[Any]:
        return (event for kind in kinds for event in told.get(kind, ()))

    return Touched(
        requests=frozenset(event.request_id for event in those(*get_args(RedemptionEvent))),
        holders=frozenset(step.holder for event in those(*get_args(ShareEvent)) for step in movements(event)),
        assets=frozenset(event.token for event in those(*get_args(AssetEvent))),
        orders=frozenset((event.emitter, event.order_id) for event in those(*get_args(OrderEvent))),
        tokens=frozenset(event.emitter for event in those(TokenTransfer)),
        fees=any(those(*FEE_EVENTS)),
    )
