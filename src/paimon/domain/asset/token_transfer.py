"""Every token Transfer from or to the vault, with what it was for.

A Transfer says who and how much, never why. The why is another log of the same transaction:

| Purpose | Told by | Movement |
|---|---|---|
| DEPOSIT | DepositProcessed | asset in, its amount |
| REDEMPTION_PAYOUT | RedemptionSettled | asset out, the net amount |
| PURCHASE | a purchase (see `trade`) | asset out, token in |
| SALE | a sale | token out, asset in |
| OTC_PAYMENT | OrderPaid | asset out |
| OTC_DELIVERY | OrderDelivered | the order's token in |
| REDEMPTION_FEE_WITHDRAWAL | RedemptionFeesWithdrawn | asset out |
| YIELD | YieldCompounded | token in, the shares issued |
| FEE_COLLECTION | no log | asset out to the fee recipient, exactly what is owed of management and performance fees |
| EMERGENCY_WITHDRAWAL | no log | out, where none of the contracts that move the vault's money logged anything |
| NOTHING | no log | an amount of 0, which anyone may have a token log in the vault's name |
| UNEXPLAINED | no log | the rest: gifts, and whatever a person must look at |

A log claims the movements with exactly its amounts first, those just before it first. Only then may a log whose amount
nobody moved claim another movement of the same token and direction: some tokens keep a fee of their own transfers.

A redemption paid to the fee recipient, or fees withdrawn, are told by logs, so they are never taken for a collection.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from paimon.domain.asset.otc_order import OrderKey
from paimon.domain.asset.trade import Trade, TradeKind
from paimon.domain.events import (
    ChainTransaction,
    DepositProcessed,
    LoggedEvent,
    OrderDelivered,
    OrderPaid,
    RedemptionFeesWithdrawn,
    RedemptionSettled,
    TokenTransfer,
    YieldCompounded,
)
from paimon.domain.events.errors import InapplicableEvent
from paimon.domain.kernel.chain import Address, ContractName, LogPlace
from paimon.domain.kernel.treasury import Treasury
from paimon.domain.kernel.units import UINT256_MAX, RawAmount


class Purpose(StrEnum):
    DEPOSIT = "DEPOSIT"
    REDEMPTION_PAYOUT = "REDEMPTION_PAYOUT"
    PURCHASE = "PURCHASE"
    SALE = "SALE"
    OTC_PAYMENT = "OTC_PAYMENT"
    OTC_DELIVERY = "OTC_DELIVERY"
    FEE_COLLECTION = "FEE_COLLECTION"
    REDEMPTION_FEE_WITHDRAWAL = "REDEMPTION_FEE_WITHDRAWAL"
    YIELD = "YIELD"
    EMERGENCY_WITHDRAWAL = "EMERGENCY_WITHDRAWAL"
    NOTHING = "NOTHING"
    UNEXPLAINED = "UNEXPLAINED"


class Direction(StrEnum):
    """As the vault sees it. WITHIN is a transfer of the vault to itself, which changes nothing."""

    IN = "IN"
    OUT = "OUT"
    WITHIN = "WITHIN"


def direction_of(transfer: TokenTransfer, vault: Address) -> Direction:
    if transfer.from_ == transfer.to:
        return Direction.WITHIN
    return Direction.OUT if transfer.from_ == vault else Direction.IN


@dataclass(frozen=True, slots=True)
class TokenMovement:
    """One Transfer. `told_by` is the index of the log of the same block that tells what it was for."""

    place: LogPlace
    token: Address
    sender: Address
    receiver: Address
    direction: Direction
    amount: RawAmount
    purpose: Purpose
    told_by: int | None


@dataclass(frozen=True, slots=True)
class TokenFlow:
    """What came into the vault and went out of it since the token is followed."""

    token: Address
    received: RawAmount = RawAmount(0)
    sent: RawAmount = RawAmount(0)

    def after(self, direction: Direction, amount: RawAmount) -> "TokenFlow":
        """Raises InapplicableEvent when a total leaves what the chain can count."""
        match direction:
            case Direction.IN:
                flow = TokenFlow(self.token, RawAmount(self.received + amount), self.sent)
            case Direction.OUT:
                flow = TokenFlow(self.token, self.received, RawAmount(self.sent + amount))
            case Direction.WITHIN:
                flow = self
        if max(flow.received, flow.sent) > UINT256_MAX:
            raise InapplicableEvent(f"{amount} more of the token cannot be counted by the chain")
        return flow


@dataclass(frozen=True, slots=True)
class Told:
    """Why a movement was made, and which log says so."""

    purpose: Purpose
    log_index: int


class _Moved(NamedTuple):
    """A movement as its own log tells it."""

    log_index: int
    token: Address
    direction: Direction
    amount: RawAmount


class _Leg(NamedTuple):
    """A movement that a log says was made."""

    told: Told
    token: Address
    direction: Direction
    amount: RawAmount


def explain(
    transaction: ChainTransaction,
    trades: Iterable[Trade],
    *,
    treasury: Treasury,
    order_tokens: Mapping[OrderKey, Address],
) -> dict[int, Told]:
    """What the transaction's own logs tell of its movements, by the index of the Transfer's log."""
    moved = [
        _Moved(each.log_index, each.event.emitter, direction_of(each.event, treasury.vault), each.event.value)
        for each in transaction.events
        if isinstance(each.event, TokenTransfer)
    ]
    if not moved:
        return {}
    legs = [*_legs_of_trades(trades, treasury.asset), *_legs_of_events(transaction.events, treasury.asset, order_tokens)]
    told: dict[int, Told] = {}
    for exactly in (True, False):
        legs = [leg for leg in legs if not _claim(leg, moved, told, exactly=exactly)]
    return told


def _claim(leg: _Leg, moved: Sequence[_Moved], told: dict[int, Told], *, exactly: bool) -> bool:
    """Give the leg its movement; False when there is none."""
    fitting = [
        each.log_index
        for each in moved
        if each.token == leg.token
        and each.direction is leg.direction
        and (each.amount == leg.amount if exactly else leg.amount > 0)
        and each.log_index not in told
    ]
    if not fitting:
        return False
    teller = leg.told.log_index
    nearest = min(fitting, key=lambda log_index: (log_index > teller, abs(teller - log_index)))
    told[nearest] = leg.told
    return True


def _legs_of_trades(trades: Iterable[Trade], asset: Address) -> Iterator[_Leg]:
    for trade in trades:
        if not trade.has_effect:
            continue
        is_purchase = trade.kind is TradeKind.PURCHASE
        told = Told(Purpose.PURCHASE if is_purchase else Purpose.SALE, trade.place.log_index)
        money, goods = (Direction.OUT, Direction.IN) if is_purchase else (Direction.IN, Direction.OUT)
        yield _Leg(told, asset, money, trade.usdt_amount)
        yield _Leg(told, trade.token, goods, trade.token_amount)


def _legs_of_events(events: Iterable[LoggedEvent], asset: Address, order_tokens: Mapping[OrderKey, Address]) -> Iterator[_Leg]:
    for logged in events:
        match logged.event:
            case DepositProcessed(assets=amount):
                purpose, token, direction = Purpose.DEPOSIT, asset, Direction.IN
            case RedemptionSettled(net_amount=amount):
                purpose, token, direction = Purpose.REDEMPTION_PAYOUT, asset, Direction.OUT
            case RedemptionFeesWithdrawn(amount=amount):
                purpose, token, direction = Purpose.REDEMPTION_FEE_WITHDRAWAL, asset, Direction.OUT
            case OrderPaid(usdt_amount=amount):
                purpose, token, direction = Purpose.OTC_PAYMENT, asset, Direction.OUT
            case OrderDelivered(emitter=manager, order_id=order_id, actual_tokens=amount):
                if (manager, order_id) not in order_tokens:
                    continue
                purpose, token, direction = Purpose.OTC_DELIVERY, order_tokens[manager, order_id], Direction.IN
            case YieldCompounded(token=token, shares_issued=amount):
                purpose, direction = Purpose.YIELD, Direction.IN
            case _:
                continue
        yield _Leg(Told(purpose, logged.log_index), token, direction, amount)


_MOVERS: Final = frozenset({ContractName.REDEMPTION_MANAGER, ContractName.ASSET_CONTROLLER, ContractName.OTC_MANAGER})
"""Contracts that move the vault's money and log it when they do."""


def purpose_untold(transfer: TokenTransfer, transaction: ChainTransaction, *, vault: Address) -> Purpose:
    """What a movement was for that no log tells of, and that is no collection of fees."""
    if transfer.value == 0:
        return Purpose.NOTHING
    if direction_of(transfer, vault) is not Direction.IN and not transaction.spoke & _MOVERS:
        return Purpose.EMERGENCY_WITHDRAWAL
    return Purpose.UNEXPLAINED


def is_collection(transfer: TokenTransfer, *, treasury: Treasury, recipient: Address | None, owed: int) -> bool:
    """Whether an unexplained movement collects management and performance fees.

    Source: AssetController.collectFees accrues both, then pays all that is owed in one Transfer to the fee recipient.
    """
    return (
        transfer.emitter == treasury.asset
        and transfer.from_ == treasury.vault
        and transfer.to == recipient
        and 0 < transfer.value == owed
    )
