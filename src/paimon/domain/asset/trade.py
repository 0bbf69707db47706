"""Purchases and sales, each counted once, however many logs describe it (deployed behaviours 7 and 8).

| Logs of one transaction | Trade |
|---|---|
| PurchaseRouted | one purchase, by `allocateToLayer` |
| PurchaseRouted, then AssetPurchased with the same token and amounts | one purchase, by `purchaseAsset` |
| AssetPurchased alone | one purchase |
| AssetPurchased (…, 0, 0) | nothing was bought: kept, and marked as without effect |
| AssetRedeemed | one sale, by `redeemAsset` |
| WaterfallLiquidation | one sale: for the settlement after it, or for the buffer when BufferPoolRebalanced follows |
| AssetRedeemed and WaterfallLiquidation with the same token and amounts | one sale, unless the token left the vault twice |

The contracts log a sale once. The last row keeps the count right where a deployment logs both.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from paimon.domain.asset.asset import find_tier
from paimon.domain.asset.purchase_method import PurchaseMethod, find_purchase_method
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
from paimon.domain.kernel.chain import Address, LogPosition
from paimon.domain.kernel.units import RawAmount


class TradeKind(StrEnum):
    PURCHASE = "PURCHASE"
    SALE = "SALE"


class TradeTrigger(StrEnum):
    """The operation that made a trade."""

    ALLOCATION = "ALLOCATION"
    PURCHASE = "PURCHASE"
    REDEMPTION = "REDEMPTION"
    WATERFALL = "WATERFALL"
    BUFFER_REFILL = "BUFFER_REFILL"


_TRADE_EVENTS: Final = frozenset({PurchaseRouted, AssetPurchased, AssetRedeemed, WaterfallLiquidation})


@dataclass(frozen=True, slots=True)
class Trade:
    """One purchase or sale as its event describes it.

    `tier` and `purchase_method` are None for numbers that the interface does not know.
    `request_id` is the redemption that a waterfall's sale paid for. Without effect, nothing was bought although the
    transaction succeeded.
    """

    log_position: LogPosition
    kind: TradeKind
    trigger: TradeTrigger
    token: Address
    tier: Tier | None
    purchase_method: PurchaseMethod | None
    usdt_amount: RawAmount
    token_amount: RawAmount
    has_effect: bool
    request_id: int | None

    def has_same_amounts(self, other: "Trade") -> bool:
        return (self.kind, self.token, self.usdt_amount, self.token_amount) == (
            other.kind,
            other.token,
            other.usdt_amount,
            other.token_amount,
        )


def extract_trades(transaction: ChainTransaction, *, vault: Address) -> list[Trade]:
    """Extract the transaction's trades, each at the position of its first log."""
    trade_logs = [
        (position, logged) for position, logged in enumerate(transaction.events) if type(logged.event) in _TRADE_EVENTS
    ]
    if not trade_logs:
        return []

    def token_exit_count(trade: Trade) -> int:
        return sum(
            isinstance(logged.event, TokenTransfer)
            and (logged.event.emitter, logged.event.value, logged.event.from_) == (trade.token, trade.token_amount, vault)
            for logged in transaction.events
        )

    found: list[Trade] = []
    for position, logged in trade_logs:
        if (trade := _trade(logged, transaction, transaction.events[position + 1 :])) is None:
            continue
        duplicate = next(
            (index for index in reversed(range(len(found))) if _is_duplicate(found[index], trade, found, token_exit_count)),
            None,
        )
        if duplicate is None:
            found.append(trade)
        else:
            found[duplicate] = _merge(found[duplicate], trade)
    return found


def _trade(logged: LoggedEvent, transaction: ChainTransaction, later: Iterable[LoggedEvent]) -> Trade | None:
    block = transaction.block
    place = LogPosition(block.number, logged.log_index, transaction.tx_hash, block.timestamp)
    purchase_method: PurchaseMethod | None = None
    match logged.event:
        case PurchaseRouted(token=token, tier=tier, method=method, usdt_amount=usdt, tokens_received=tokens):
            kind, trigger, request = TradeKind.PURCHASE, TradeTrigger.ALLOCATION, None
            purchase_method = find_purchase_method(method)
        case AssetPurchased(token=token, tier=tier, usdt_amount=usdt, tokens_received=tokens):
            kind, trigger, request = TradeKind.PURCHASE, TradeTrigger.PURCHASE, None
        case AssetRedeemed(token=token, tier=tier, token_amount=tokens, usdt_received=usdt):
            kind, trigger, request = TradeKind.SALE, TradeTrigger.REDEMPTION, None
        case WaterfallLiquidation(token=token, tier=tier, amount_liquidated=tokens, usdt_received=usdt):
            kind = TradeKind.SALE
            trigger, request = _waterfall_trigger(later)
        case _:
            return None
    has_effect = bool(usdt or tokens)
    return Trade(place, kind, trigger, token, find_tier(tier), purchase_method, usdt, tokens, has_effect, request)


def _waterfall_trigger(later: Iterable[LoggedEvent]) -> tuple[TradeTrigger, int | None]:
    """Find what a waterfall was for: it is logged after the waterfall, and each settlement of a batch has its own."""
    for logged in later:
        match logged.event:
            case RedemptionSettled(request_id=request_id):
                return TradeTrigger.WATERFALL, request_id
            case BufferPoolRebalanced():
                return TradeTrigger.BUFFER_REFILL, None
    return TradeTrigger.WATERFALL, None


_DUPLICATE_PAIRS: Final = (
    frozenset({TradeTrigger.ALLOCATION, TradeTrigger.PURCHASE}),
    frozenset({TradeTrigger.REDEMPTION, TradeTrigger.WATERFALL}),
    frozenset({TradeTrigger.REDEMPTION, TradeTrigger.BUFFER_REFILL}),
)


def _is_duplicate(earlier: Trade, trade: Trade, found: Iterable[Trade], token_exit_count: Callable[[Trade], int]) -> bool:
    """Report whether `trade` comes from another log of `earlier`."""
    if not earlier.has_same_amounts(trade) or frozenset({earlier.trigger, trade.trigger}) not in _DUPLICATE_PAIRS:
        return False
    if trade.kind is TradeKind.PURCHASE:
        return earlier.trigger is TradeTrigger.ALLOCATION and trade.has_effect
    counted = sum(other.has_same_amounts(trade) for other in found)
    return counted >= token_exit_count(trade)


def _merge(earlier: Trade, later: Trade) -> Trade:
    """Combine two logs of one trade: the purchase method from the log that has it, the settlement from the waterfall."""
    trigger = later.trigger if later.trigger is not TradeTrigger.REDEMPTION else earlier.trigger
    return replace(
        earlier,
        trigger=trigger,
        purchase_method=earlier.purchase_method or later.purchase_method,
        request_id=earlier.request_id if later.request_id is None else later.request_id,
    )
