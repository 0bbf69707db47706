"""Purchases and sales, each counted once, whichever logs tell of them (deployed behaviours 7 and 8).

| Logs of one transaction | Are |
|---|---|
| PurchaseRouted | one purchase, by `allocateToLayer` |
| PurchaseRouted, then AssetPurchased with the same token and amounts | the same one purchase, by `purchaseAsset` |
| AssetPurchased alone | one purchase |
| AssetPurchased (…, 0, 0) | nothing was bought: kept, and marked as without effect |
| AssetRedeemed | one sale, by `redeemAsset` |
| WaterfallLiquidation | one sale: for the settlement that follows it, for the buffer when BufferPoolRebalanced follows |
| AssetRedeemed and WaterfallLiquidation with the same token and amounts | one sale, unless the token left the vault twice |

The contracts log a sale once; the last row keeps the count right where a deployment logs both.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from paimon.domain.asset.asset import find_tier
from paimon.domain.asset.tier import Tier
from paimon.domain.events import (
    AssetPurchased,
    AssetRedeemed,
    BufferPoolRebalanced,
    ChainTransaction,
    LoggedEvent,
    PurchaseRouted,
    RedemptionSettled,
    TokenTransfer,
    WaterfallLiquidation,
)
from paimon.domain.kernel.chain import Address, LogPlace
from paimon.domain.kernel.units import RawAmount


class TradeKind(StrEnum):
    PURCHASE = "PURCHASE"
    SALE = "SALE"


class TradeVia(StrEnum):
    """What the trade was made by."""

    ALLOCATION = "ALLOCATION"
    PURCHASE = "PURCHASE"
    REDEMPTION = "REDEMPTION"
    WATERFALL = "WATERFALL"
    BUFFER_REFILL = "BUFFER_REFILL"


_TELLERS: Final = frozenset({PurchaseRouted, AssetPurchased, AssetRedeemed, WaterfallLiquidation})


class Route(StrEnum):
    """Where a purchase was made: the asset's own adapter or the swap helper. The value order is the contract's."""

    OTC = "OTC"
    SWAP = "SWAP"
    AUTO = "AUTO"  # what an asset may be set to; a purchase is logged with the route that was taken


_ROUTES: Final = dict(enumerate(Route))


@dataclass(frozen=True, slots=True)
class Trade:
    """One purchase or sale as its event tells it. `tier` and `route` are None for numbers the interface does not know.

    `request_id` is the redemption a waterfall's sale paid for. Without effect nothing was bought, though the transaction
    succeeded.
    """

    place: LogPlace
    kind: TradeKind
    via: TradeVia
    token: Address
    tier: Tier | None
    route: Route | None
    usdt_amount: RawAmount
    token_amount: RawAmount
    has_effect: bool
    request_id: int | None

    def has_figures_of(self, other: "Trade") -> bool:
        return (self.kind, self.token, self.usdt_amount, self.token_amount) == (
            other.kind,
            other.token,
            other.usdt_amount,
            other.token_amount,
        )


def trades(transaction: ChainTransaction, *, vault: Address) -> list[Trade]:
    """The transaction's trades, each in the place of the first log that told of it."""
    tellers = [(position, logged) for position, logged in enumerate(transaction.events) if type(logged.event) in _TELLERS]
    if not tellers:
        return []

    def times_sold(trade: Trade) -> int:
        return sum(
            isinstance(each.event, TokenTransfer)
            and (each.event.emitter, each.event.value, each.event.from_) == (trade.token, trade.token_amount, vault)
            for each in transaction.events
        )

    found: list[Trade] = []
    for position, logged in tellers:
        if (trade := _trade(logged, transaction, transaction.events[position + 1 :])) is None:
            continue
        twin = next((index for index in reversed(range(len(found))) if _is_twin(found[index], trade, found, times_sold)), None)
        if twin is None:
            found.append(trade)
        else:
            found[twin] = _merged(found[twin], trade)
    return found


def _trade(logged: LoggedEvent, transaction: ChainTransaction, later: Iterable[LoggedEvent]) -> Trade | None:
    block = transaction.block
    place = LogPlace(block.number, logged.log_index, transaction.tx_hash, block.timestamp)
    match logged.event:
        case PurchaseRouted(token=token, tier=tier, method=method, usdt_amount=usdt, tokens_received=tokens):
            kind, via, route, request = TradeKind.PURCHASE, TradeVia.ALLOCATION, _ROUTES.get(method), None
        case AssetPurchased(token=token, tier=tier, usdt_amount=usdt, tokens_received=tokens):
            kind, via, route, request = TradeKind.PURCHASE, TradeVia.PURCHASE, None, None
        case AssetRedeemed(token=token, tier=tier, token_amount=tokens, usdt_received=usdt):
            kind, via, route, request = TradeKind.SALE, TradeVia.REDEMPTION, None, None
        case WaterfallLiquidation(token=token, tier=tier, amount_liquidated=tokens, usdt_received=usdt):
            kind, route = TradeKind.SALE, None
            via, request = _purpose_of_waterfall(later)
        case _:
            return None
    has_effect = bool(usdt or tokens)
    return Trade(place, kind, via, token, find_tier(tier), route, usdt, tokens, has_effect, request)


def _purpose_of_waterfall(later: Iterable[LoggedEvent]) -> tuple[TradeVia, int | None]:
    """A waterfall is over before what it was for is logged, and each settlement of a batch has its own."""
    for each in later:
        match each.event:
            case RedemptionSettled(request_id=request_id):
                return TradeVia.WATERFALL, request_id
            case BufferPoolRebalanced():
                return TradeVia.BUFFER_REFILL, None
    return TradeVia.WATERFALL, None


_TWINS: Final = (
    frozenset({TradeVia.ALLOCATION, TradeVia.PURCHASE}),
    frozenset({TradeVia.REDEMPTION, TradeVia.WATERFALL}),
    frozenset({TradeVia.REDEMPTION, TradeVia.BUFFER_REFILL}),
)


def _is_twin(earlier: Trade, trade: Trade, found: Iterable[Trade], times_sold: Callable[[Trade], int]) -> bool:
    """Whether `trade` is another log of `earlier`."""
    if not earlier.has_figures_of(trade) or frozenset({earlier.via, trade.via}) not in _TWINS:
        return False
    if trade.kind is TradeKind.PURCHASE:
        return earlier.via is TradeVia.ALLOCATION and trade.has_effect
    counted = sum(each.has_figures_of(trade) for each in found)
    return counted >= times_sold(trade)


def _merged(earlier: Trade, later: Trade) -> Trade:
    """Of two logs of one trade: the route from where it is told, the settlement from the waterfall."""
    via = later.via if later.via is not TradeVia.REDEMPTION else earlier.via
    return replace(
        earlier,
        via=via,
        route=earlier.route or later.route,
        request_id=earlier.request_id if later.request_id is None else later.request_id,
    )
