"""Histories of a fund without a chain: each step changes the snapshot as the contracts would, and records the inputs.

It is written independently of the attribution under test: it knows what each event does to balances, not to NAV.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any, Final

from tests.support.factories.snapshots import NOON, position, snapshot, stamp, token

from paimon.domain.asset.token_transfer import TransferPurpose
from paimon.domain.kernel.chain import Hash32, LogPosition
from paimon.domain.kernel.units import WAD, RawAmount
from paimon.domain.vault.fund_snapshot import AssetPosition, FundSnapshot, OrderInTransit
from paimon.domain.vault.nav_inputs import (
    AssetTransfer,
    DepositInput,
    FeeInput,
    FeeInputKind,
    NavInputs,
    RedemptionInput,
    RedemptionTransition,
)

CASH: Final = token(0xA5)


@dataclass
class History:
    """The fund's present snapshot, and the inputs since the last `take_inputs`."""

    random: Random
    now: FundSnapshot
    asset_transfers: list[AssetTransfer] = field(default_factory=list)
    deposits: list[DepositInput] = field(default_factory=list)
    redemptions: list[RedemptionInput] = field(default_factory=list)
    fees: list[FeeInput] = field(default_factory=list)
    requests: dict[int, tuple[int, int]] = field(default_factory=dict)
    numbers: int = 0

    @classmethod
    def of(cls, seed: int) -> "History":
        random = Random(seed)
        assets = tuple(
            position(
                number,
                decimals=random.choice((0, 6, 8, 18)),
                price=RawAmount(random.randrange(1, 10**21)),
                balance=RawAmount(random.randrange(10**12)),
                is_listed=random.random() < 0.9,
            )
            for number in range(1, 5)
        )
        return cls(random, snapshot(0, assets=assets, cash=RawAmount(random.randrange(10**25))))

    def act(self, times: int) -> None:
        for _ in range(times):
            self.random.choice(_STEPS)(self)

    def take_inputs(self) -> NavInputs:
        """Return the inputs since the last call and move to the next block."""
        nav_inputs = NavInputs(tuple(self.asset_transfers), tuple(self.deposits), tuple(self.redemptions), tuple(self.fees))
        self.asset_transfers, self.deposits, self.redemptions, self.fees = [], [], [], []
        self.now = replace(self.now, at=stamp(self.now.at.number + 1))
        return nav_inputs

    def next_log_position(self) -> LogPosition:
        self.numbers += 1
        number = self.now.at.number + 1
        return LogPosition(number, self.numbers, Hash32(self.numbers.to_bytes(32, "big")), NOON + timedelta(seconds=number))

    def change(self, **fields: Any) -> None:
        self.now = replace(self.now, **fields)

    def pay(self, amount: int, purpose: TransferPurpose, **more: Any) -> None:
        self.change(cash=RawAmount(self.now.cash + amount))
        self.asset_transfers.append(AssetTransfer(self.next_log_position(), CASH, amount, purpose, **more))

    def move(self, asset: AssetPosition, amount: int, purpose: TransferPurpose, **more: Any) -> None:
        self.set(replace(asset, balance=RawAmount(asset.balance + amount)))
        self.asset_transfers.append(AssetTransfer(self.next_log_position(), asset.token, amount, purpose, **more))

    def set(self, asset: AssetPosition) -> None:
        self.change(assets=tuple(asset if held.token == asset.token else held for held in self.now.assets))

    def random_amount(self, limit: int) -> int:
        return self.random.randrange(limit + 1)

    @property
    def asset(self) -> AssetPosition:
        return self.random.choice(self.now.assets)


def _reprice(history: History) -> None:
    asset = history.asset
    moved = (asset.price or 1) * history.random.randrange(9_000, 11_000) // 10_000
    history.set(replace(asset, price=RawAmount(max(moved, 1))))


def _deposit(history: History) -> None:
    amount, shares = history.random_amount(10**24), history.random_amount(10**24)
    history.pay(amount, TransferPurpose.DEPOSIT)
    history.change(total_supply=RawAmount(history.now.total_supply + shares))
    history.deposits.append(DepositInput(history.next_log_position(), RawAmount(amount), RawAmount(shares)))


def _request(history: History) -> None:
    shares = history.random_amount(history.now.vault.effective_supply // 10)
    gross = shares * history.now.nav_per_share // WAD
    history.requests[len(history.requests) + history.numbers] = (gross, shares)
    history.change(
        locked_shares=RawAmount(history.now.locked_shares + shares),
        redemption_liability=RawAmount(history.now.redemption_liability + gross),
    )
    history.redemptions.append(
        RedemptionInput(history.next_log_position(), RedemptionTransition.REQUESTED, RawAmount(gross), RawAmount(shares))
    )


def _end(history: History, step: RedemptionTransition) -> tuple[int, int] | None:
    if not history.requests:
        return None
    gross, shares = history.requests.pop(history.random.choice(list(history.requests)))
    if step is RedemptionTransition.SETTLED and gross > history.now.cash:
        return None
    history.change(
        locked_shares=RawAmount(history.now.locked_shares - shares),
        redemption_liability=RawAmount(history.now.redemption_liability - gross),
    )
    history.redemptions.append(RedemptionInput(history.next_log_position(), step, RawAmount(gross), RawAmount(shares)))
    return gross, shares


def _cancel(history: History) -> None:
    _end(history, RedemptionTransition.RETURNED)


def _settle(history: History) -> None:
    if (ended := _end(history, RedemptionTransition.SETTLED)) is None:
        return
    gross, shares = ended
    fee = gross // 200
    history.pay(fee - gross, TransferPurpose.REDEMPTION_PAYOUT)
    history.change(
        total_supply=RawAmount(history.now.total_supply - shares),
        withdrawable_redemption_fees=RawAmount(history.now.withdrawable_redemption_fees + fee),
    )
    history.fees.append(FeeInput(history.next_log_position(), FeeInputKind.REDEMPTION_KEPT, RawAmount(fee)))


def _withdraw_redemption_fees(history: History) -> None:
    amount = history.random_amount(min(history.now.withdrawable_redemption_fees, history.now.cash))
    history.pay(-amount, TransferPurpose.REDEMPTION_FEE_WITHDRAWAL)
    history.change(withdrawable_redemption_fees=RawAmount(history.now.withdrawable_redemption_fees - amount))
    history.fees.append(FeeInput(history.next_log_position(), FeeInputKind.REDEMPTION_RELEASED, RawAmount(amount)))


def _buy(history: History) -> None:
    asset, amount = history.asset, history.random_amount(history.now.cash // 10)
    history.pay(-amount, TransferPurpose.PURCHASE, asset=asset.token)
    history.move(asset, history.random_amount(10**12), TransferPurpose.PURCHASE)


def _sell(history: History) -> None:
    asset = history.asset
    history.move(asset, -history.random_amount(asset.balance), TransferPurpose.SALE)
    history.pay(history.random_amount(10**22), TransferPurpose.SALE, asset=asset.token)


def _earn(history: History) -> None:
    history.move(history.asset, history.random_amount(10**10), TransferPurpose.YIELD)


def _accrue(history: History) -> None:
    amount, fees = history.random_amount(10**20), history.now.fees
    if history.random.random() < 0.5:
        history.change(fees=replace(fees, accrued_management=RawAmount(fees.accrued_management + amount)))
        move = FeeInputKind.MANAGEMENT_ACCRUED
    else:
        history.change(fees=replace(fees, accrued_performance=RawAmount(fees.accrued_performance + amount)))
        move = FeeInputKind.PERFORMANCE_ACCRUED
    history.fees.append(FeeInput(history.next_log_position(), move, RawAmount(amount)))


def _collect(history: History) -> None:
    fees = history.now.fees
    owed = fees.accrued_management + fees.accrued_performance
    if owed <= history.now.cash:
        history.pay(-owed, TransferPurpose.FEE_COLLECTION)
        history.change(fees=replace(fees, accrued_management=RawAmount(0), accrued_performance=RawAmount(0)))


def _pay_order(history: History) -> None:
    asset, amount = history.asset, history.random_amount(history.now.cash // 10)
    order_id = history.numbers + 1
    history.pay(-amount, TransferPurpose.OTC_PAYMENT, asset=asset.token, order_id=order_id)
    order = OrderInTransit(order_id, asset.token, RawAmount(amount), RawAmount(10**9), token(0xCC))
    history.change(in_transit=(*history.now.in_transit, order))


def _deliver(history: History) -> None:
    if history.now.in_transit:
        order, *rest = history.now.in_transit
        asset = history.now.position(order.token)
        assert asset is not None
        history.move(asset, history.random_amount(10**12), TransferPurpose.OTC_DELIVERY, order_id=order.order_id)
        history.change(in_transit=tuple(rest))


def _withdraw(history: History) -> None:
    if history.random.random() < 0.5:
        history.pay(-history.random_amount(history.now.cash // 20), TransferPurpose.EMERGENCY_WITHDRAWAL)
    else:
        asset = history.asset
        history.move(asset, -history.random_amount(asset.balance // 2), TransferPurpose.EMERGENCY_WITHDRAWAL)


def _list(history: History) -> None:
    asset = history.asset
    history.set(replace(asset, is_listed=not asset.is_listed))


_STEPS: Final[tuple[Callable[[History], None], ...]] = (
    _reprice,
    _reprice,
    _deposit,
    _request,
    _cancel,
    _settle,
    _withdraw_redemption_fees,
    _buy,
    _sell,
    _earn,
    _accrue,
    _collect,
    _pay_order,
    _deliver,
    _withdraw,
    _list,
)
