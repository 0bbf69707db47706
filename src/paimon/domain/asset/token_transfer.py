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
from paimon.domain.kernel.chain import Address, ContractName, LogPosition
from paimon.domain.kernel.treasury import Treasury
from paimon.domain.kernel.units import UINT256_MAX, RawAmount


class TransferPurpose(StrEnum):
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
    ZERO_VALUE = "ZERO_VALUE"
    UNEXPLAINED = "UNEXPLAINED"


class TransferDirection(StrEnum):
    """As the vault sees it. WITHIN is a transfer of the vault to itself, which changes nothing."""

    IN = "IN"
    OUT = "OUT"
    INTERNAL = "INTERNAL"


def direction_of(transfer: TokenTransfer, vault: Address) -> TransferDirection:
    if transfer.from_ == transfer.to:
        return TransferDirection.INTERNAL
    return TransferDirection.OUT if transfer.from_ == vault else TransferDirection.IN


@dataclass(frozen=True, slots=True)
class ClassifiedTransfer:
    """One Transfer. `source_log_index` is the index of the log of the same block that tells what it was for."""

    log_position: LogPosition
    token: Address
    sender: Address
    receiver: Address
    direction: TransferDirection
    amount: RawAmount
    purpose: TransferPurpose
    source_log_index: int | None


@dataclass(frozen=True, slots=True)
class TokenFlow:
    """What came into the vault and went out of it since the token is followed."""

    token: Address
    received: RawAmount = RawAmount(0)
    sent: RawAmount = RawAmount(0)

    def after(self, direction: TransferDirection, amount: RawAmount) -> "TokenFlow":
        """Raises InapplicableEvent when a total leaves what the chain can count."""
        match direction:
            case TransferDirection.IN:
                flow = TokenFlow(self.token, RawAmount(self.received + amount), self.sent)
            case TransferDirection.OUT:
                flow = TokenFlow(self.token, self.received, RawAmount(self.sent + amount))
            case TransferDirection.INTERNAL:
                flow = self
        if max(flow.received, flow.sent) > UINT256_MAX:
            raise InapplicableEvent(f"{amount} more of the token cannot be counted by the chain")
        return flow


@dataclass(frozen=True, slots=True)
class Attribution:
    """Why a movement was made, and which log says so."""

    purpose: TransferPurpose
    log_index: int


class _ObservedTransfer(NamedTuple):
    """A movement as its own log tells it."""

    log_index: int
    token: Address
    direction: TransferDirection
    amount: RawAmount


class _ExpectedTransfer(NamedTuple):
    """A movement that a log says was made."""

    attribution: Attribution
    token: Address
    direction: TransferDirection
    amount: RawAmount


def attribute_transfers(
    transaction: ChainTransaction,
    trades: Iterable[Trade],
    *,
    treasury: Treasury,
    order_tokens: Mapping[OrderKey, Address],
) -> dict[int, Attribution]:
    """What the transaction's own logs tell of its movements, by the index of the Transfer's log."""
    observed = [
        _ObservedTransfer(each.log_index, each.event.emitter, direction_of(each.event, treasury.vault), each.event.value)
        for each in transaction.events
        if isinstance(each.event, TokenTransfer)
    ]
    if not observed:
        return {}
    unmatched = [
        *_expected_by_trades(trades, treasury.asset),
        *_expected_by_events(transaction.events, treasury.asset, order_tokens),
    ]
    attributions: dict[int, Attribution] = {}
    for exact_amount in (True, False):
        unmatched = [
            expected for expected in unmatched if not _match(expected, observed, attributions, exact_amount=exact_amount)
        ]
    return attributions


def _match(
    expected: _ExpectedTransfer,
    observed: Sequence[_ObservedTransfer],
    attributions: dict[int, Attribution],
    *,
    exact_amount: bool,
) -> bool:
    """Give the leg its movement; False when there is none."""
    candidates = [
        each.log_index
        for each in observed
        if each.token == expected.token
        and each.direction is expected.direction
        and (each.amount == expected.amount if exact_amount else expected.amount > 0)
        and each.log_index not in attributions
    ]
    if not candidates:
        return False
    source_index = expected.attribution.log_index
    nearest = min(candidates, key=lambda log_index: (log_index > source_index, abs(source_index - log_index)))
    attributions[nearest] = expected.attribution
    return True


def _expected_by_trades(trades: Iterable[Trade], asset: Address) -> Iterator[_ExpectedTransfer]:
    for trade in trades:
        if not trade.has_effect:
            continue
        is_purchase = trade.kind is TradeKind.PURCHASE
        attribution = Attribution(
            TransferPurpose.PURCHASE if is_purchase else TransferPurpose.SALE, trade.log_position.log_index
        )
        asset_direction, token_direction = (
            (TransferDirection.OUT, TransferDirection.IN) if is_purchase else (TransferDirection.IN, TransferDirection.OUT)
        )
        yield _ExpectedTransfer(attribution, asset, asset_direction, trade.usdt_amount)
        yield _ExpectedTransfer(attribution, trade.token, token_direction, trade.token_amount)


def _expected_by_events(
    events: Iterable[LoggedEvent], asset: Address, order_tokens: Mapping[OrderKey, Address]
) -> Iterator[_ExpectedTransfer]:
    for logged in events:
        match logged.event:
            case DepositProcessed(assets=amount):
                purpose, token, direction = TransferPurpose.DEPOSIT, asset, TransferDirection.IN
            case RedemptionSettled(net_amount=amount):
                purpose, token, direction = TransferPurpose.REDEMPTION_PAYOUT, asset, TransferDirection.OUT
            case RedemptionFeesWithdrawn(amount=amount):
                purpose, token, direction = TransferPurpose.REDEMPTION_FEE_WITHDRAWAL, asset, TransferDirection.OUT
            case OrderPaid(usdt_amount=amount):
                purpose, token, direction = TransferPurpose.OTC_PAYMENT, asset, TransferDirection.OUT
            case OrderDelivered(emitter=manager, order_id=order_id, actual_tokens=amount):
                if (manager, order_id) not in order_tokens:
                    continue
                purpose, token, direction = TransferPurpose.OTC_DELIVERY, order_tokens[manager, order_id], TransferDirection.IN
            case YieldCompounded(token=token, shares_issued=amount):
                purpose, direction = TransferPurpose.YIELD, TransferDirection.IN
            case _:
                continue
        yield _ExpectedTransfer(Attribution(purpose, logged.log_index), token, direction, amount)


_PAYING_CONTRACTS: Final = frozenset({ContractName.REDEMPTION_MANAGER, ContractName.ASSET_CONTROLLER, ContractName.OTC_MANAGER})
"""Contracts that move the vault's money and log it when they do."""


def unattributed_purpose(transfer: TokenTransfer, transaction: ChainTransaction, *, vault: Address) -> TransferPurpose:
    """What a movement was for that no log tells of, and that is no collection of fees."""
    if transfer.value == 0:
        return TransferPurpose.ZERO_VALUE
    if direction_of(transfer, vault) is not TransferDirection.IN and not transaction.emitting_contracts & _PAYING_CONTRACTS:
        return TransferPurpose.EMERGENCY_WITHDRAWAL
    return TransferPurpose.UNEXPLAINED


def is_fee_collection(transfer: TokenTransfer, *, treasury: Treasury, recipient: Address | None, owed: int) -> bool:
    """Whether an unexplained movement collects management and performance fees.

    Source: AssetController.collectFees accrues both, then pays all that is owed in one Transfer to the fee recipient.
    """
    return (
        transfer.emitter == treasury.asset
        and transfer.from_ == treasury.vault
        and transfer.to == recipient
        and 0 < transfer.value == owed
    )
