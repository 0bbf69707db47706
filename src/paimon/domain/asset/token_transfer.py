"""Token Transfers from or to the vault, each with its purpose.

A Transfer names the parties and the amount, never the purpose. Another log of the same transaction names the purpose:

| Purpose | Source log | Transfer |
|---|---|---|
| DEPOSIT | DepositProcessed | asset in, its amount |
| REDEMPTION_PAYOUT | RedemptionSettled | asset out, the net amount |
| PURCHASE | a purchase (see `trade`) | asset out, token in |
| SALE | a sale | token out, asset in |
| OTC_PAYMENT | OrderPaid | asset out |
| OTC_DELIVERY | OrderDelivered | the order's token in |
| REDEMPTION_FEE_WITHDRAWAL | RedemptionFeesWithdrawn | asset out |
| YIELD | YieldCompounded | token in, the shares issued |
| FEE_COLLECTION | none | asset out to the fee recipient, exactly the owed management and performance fees |
| EMERGENCY_WITHDRAWAL | none | out, while no contract that moves the vault's money logged anything |
| ZERO_VALUE | none | an amount of 0; anyone can make a token log one in the vault's name |
| UNEXPLAINED | none | the rest: gifts, and transfers that an operator must check |

A source log is first matched with Transfers of exactly its amount, preferring those just before it. A source log without
an exact match may then take another Transfer of the same token and direction: some tokens keep a fee of their transfers.

A redemption paid to the fee recipient and a fee withdrawal have source logs, so neither is taken for a collection.
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
    """Direction as the vault sees it. INTERNAL is a transfer from the vault to itself, which changes nothing."""

    IN = "IN"
    OUT = "OUT"
    INTERNAL = "INTERNAL"


def direction_of(transfer: TokenTransfer, vault: Address) -> TransferDirection:
    if transfer.from_ == transfer.to:
        return TransferDirection.INTERNAL
    return TransferDirection.OUT if transfer.from_ == vault else TransferDirection.IN


@dataclass(frozen=True, slots=True)
class ClassifiedTransfer:
    """One Transfer with its purpose. `source_log_index` is the index of the log, in the same block, that names the purpose."""

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
    """Totals of one token into and out of the vault since the token is tracked."""

    token: Address
    received: RawAmount = RawAmount(0)
    sent: RawAmount = RawAmount(0)

    def after(self, direction: TransferDirection, amount: RawAmount) -> "TokenFlow":
        """Add one transfer.

        Raises:
            InapplicableEvent: a total exceeds what the chain can count.
        """
        match direction:
            case TransferDirection.IN:
                flow = TokenFlow(self.token, RawAmount(self.received + amount), self.sent)
            case TransferDirection.OUT:
                flow = TokenFlow(self.token, self.received, RawAmount(self.sent + amount))
            case TransferDirection.INTERNAL:
                flow = self
        if max(flow.received, flow.sent) > UINT256_MAX:
            raise InapplicableEvent(f"{amount} more of the token exceeds what the chain can count")
        return flow


@dataclass(frozen=True, slots=True)
class Attribution:
    """The purpose of a transfer, and the index of the log that names it."""

    purpose: TransferPurpose
    log_index: int


class _ObservedTransfer(NamedTuple):
    """A transfer as the token logged it."""

    log_index: int
    token: Address
    direction: TransferDirection
    amount: RawAmount


class _ExpectedTransfer(NamedTuple):
    """A transfer that a source log says was made."""

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
    """Find the purposes that the transaction's own logs give, by the index of the Transfer's log."""
    observed = [
        _ObservedTransfer(
            logged.log_index, logged.event.emitter, direction_of(logged.event, treasury.vault), logged.event.value
        )
        for logged in transaction.events
        if isinstance(logged.event, TokenTransfer)
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
    """Assign the expected transfer to an observed one; False when none fits."""
    candidates = [
        transfer.log_index
        for transfer in observed
        if transfer.token == expected.token
        and transfer.direction is expected.direction
        and (transfer.amount == expected.amount if exact_amount else expected.amount > 0)
        and transfer.log_index not in attributions
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
    """Choose the purpose of a transfer that no log names and that is no fee collection."""
    if transfer.value == 0:
        return TransferPurpose.ZERO_VALUE
    if direction_of(transfer, vault) is not TransferDirection.IN and not transaction.emitting_contracts & _PAYING_CONTRACTS:
        return TransferPurpose.EMERGENCY_WITHDRAWAL
    return TransferPurpose.UNEXPLAINED


def is_fee_collection(transfer: TokenTransfer, *, treasury: Treasury, recipient: Address | None, owed: int) -> bool:
    """Report whether an unattributed transfer collects management and performance fees.

    Source: AssetController.collectFees accrues both, then pays all that is owed in one Transfer to the fee recipient.
    """
    return (
        transfer.emitter == treasury.asset
        and transfer.from_ == treasury.vault
        and transfer.to == recipient
        and 0 < transfer.value == owed
    )
