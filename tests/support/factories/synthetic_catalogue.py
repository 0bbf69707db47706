"""Transactions of the event catalogue for a synthetic fund: money, assets, trades, OTC orders, fees and alerts."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from tests.support.factories.strategies import address

from paimon.domain.chain.tracked_contracts import ContractOrigin, TrackedContract, TrackedContracts
from paimon.domain.kernel.chain import Address, ContractName, OnChainRole
from paimon.infrastructure.blockchain.abi.contract_abi import AbiEntry, load_abi
from paimon.infrastructure.blockchain.contracts.fund import FundAddresses

ADDRESSES: Final = FundAddresses(address(0xFA_0000), address(0xFB_0000), address(0xFC_0000))
ASSET: Final = address(0xA0)
TOKENS: Final = tuple(address(0xA1 + number) for number in range(4))
OTC: Final = address(0xFD)
RECIPIENT: Final = address(0xFE)
MARKET: Final = address(0xFF)
TRACKED: Final = TrackedContracts.of(
    [
        *(TrackedContract(where, name, ContractOrigin.SETTINGS, 1) for where, name in ADDRESSES.names().items()),
        TrackedContract(ASSET, ContractName.TOKEN, ContractOrigin.VAULT_ASSET, 1),
        *(TrackedContract(token, ContractName.TOKEN, ContractOrigin.EVENT, 1) for token in TOKENS),
        TrackedContract(OTC, ContractName.OTC_MANAGER, ContractOrigin.EVENT, 1),
    ]
)
VAULT, MANAGER, CONTROLLER = ContractName.VAULT, ContractName.REDEMPTION_MANAGER, ContractName.ASSET_CONTROLLER

EmittedLog = tuple[Address, tuple[bytes, ...], bytes]
"""The emitter, the topics and the data."""


@cache
def _event(contract: ContractName, name: str) -> AbiEntry:
    return next(entry for entry in load_abi(contract.value).events_by_topic.values() if entry.name == name)


def _word(value: int | bytes) -> bytes:
    return value.rjust(32, b"\0") if isinstance(value, bytes) else value.to_bytes(32)


def emitted_log(where: Address, name: str, *args: int | bytes) -> EmittedLog:
    """Encode the log of an event whose arguments are one word each."""
    event = _event(TRACKED.names()[where], name)
    words = [(argument.indexed, _word(value)) for argument, value in zip(event.inputs, args, strict=True)]
    topics = (event.topic, *(word for indexed, word in words if indexed))
    return where, topics, b"".join(word for indexed, word in words if not indexed)


def transfer_in(token: Address, amount: int, sender: Address = MARKET) -> EmittedLog:
    return emitted_log(token, "Transfer", sender, ADDRESSES.vault, amount)


def transfer_out(token: Address, amount: int, receiver: Address = MARKET) -> EmittedLog:
    return emitted_log(token, "Transfer", ADDRESSES.vault, receiver, amount)


@dataclass(slots=True)
class Catalogue:
    """Emits transactions of every kind in turn; its own sums make each valid.

    One tier and one kind of fee never appear, so that a test can change a key without meeting another row.
    """

    rng: random.Random
    orders: int = 0
    owed: int = 0
    kept: int = 0
    turn: int = 0
    transactions: list[list[EmittedLog]] = field(default_factory=list)

    def deployment_logs(self) -> Iterator[list[EmittedLog]]:
        """Yield the logs of a deployment: protocol addresses, assets and tiers."""
        controller = ADDRESSES.asset_controller
        for number, name in enumerate(("FeeRecipientUpdated", "OracleAdapterUpdated", "SwapHelperUpdated")):
            yield [emitted_log(controller, name, bytes(20), address(0xE0 + number) if number else RECIPIENT)]
        yield [emitted_log(controller, "OTCManagerUpdated", bytes(20), OTC)]
        for number, token in enumerate(TOKENS):
            yield [emitted_log(controller, "AssetAdded", token, number % 3, 2_500)]
            yield [emitted_log(controller, "AssetAdapterUpdated", token, bytes(20), MARKET)]
        yield [emitted_log(controller, "AssetRemoved", TOKENS[3])]
        for tier, (target, least, most) in ((1, (3_000, 2_000, 4_000)), (2, (6_000, 5_000, 7_000))):
            yield [emitted_log(controller, "LayerConfigUpdated", tier, target, least, most)]
        yield [emitted_log(ADDRESSES.vault, "RoleGranted", OnChainRole.ADMIN_ROLE.id, RECIPIENT, RECIPIENT)]

    def next(self) -> list[EmittedLog]:
        steps = (
            self._deposit,
            self._purchase,
            self._sale,
            self._waterfall,
            self._accrual,
            self._redemption_fee,
            self._order,
            self._alert,
            self._collection,
            self._withdrawal,
            self._nothing_bought,
            self._yield,
            self._unattributed,
            self._role,
        )
        self.turn += 1
        return steps[self.turn % len(steps)]()

    def _amount(self) -> int:
        return self.rng.randrange(1, 10**20)

    def _token(self) -> Address:
        return self.rng.choice(TOKENS)

    def _deposit(self) -> list[EmittedLog]:
        amount, sender = self._amount(), address(0x500 + self.rng.randrange(9))
        processed = emitted_log(ADDRESSES.vault, "DepositProcessed", sender, sender, amount, amount)
        return [
            transfer_in(ASSET, amount, sender),
            emitted_log(ADDRESSES.vault, "Deposit", sender, sender, amount, amount),
            processed,
        ]

    def _purchase(self) -> list[EmittedLog]:
        token, paid, got = self._token(), self._amount(), self._amount()
        routed = emitted_log(ADDRESSES.asset_controller, "PurchaseRouted", token, 1, 1, paid, got)
        logs = [transfer_out(ASSET, paid), transfer_in(token, got), routed]
        if self.rng.random() < 0.5:
            logs.append(emitted_log(ADDRESSES.asset_controller, "AssetPurchased", token, 1, paid, got))
        return logs

    def _sale(self) -> list[EmittedLog]:
        token, sold, got = self._token(), self._amount(), self._amount()
        redeemed = emitted_log(ADDRESSES.asset_controller, "AssetRedeemed", token, 2, sold, got)
        return [transfer_out(token, sold), transfer_in(ASSET, got), redeemed]

    def _waterfall(self) -> list[EmittedLog]:
        token, sold, got = self._token(), self._amount(), self._amount()
        liquidated = emitted_log(ADDRESSES.asset_controller, "WaterfallLiquidation", 1, token, sold, got)
        refilled = emitted_log(ADDRESSES.asset_controller, "BufferPoolRebalanced", 1, 1 + got, got)
        return [transfer_out(token, sold), transfer_in(ASSET, got), liquidated, refilled]

    def _accrual(self) -> list[EmittedLog]:
        fee = self._amount()
        self.owed += fee
        return [emitted_log(ADDRESSES.asset_controller, "PerformanceFeeCollected", fee, 10 * fee, 10**25)]

    def _collection(self) -> list[EmittedLog]:
        paid, self.owed = self.owed, 0
        return [transfer_out(ASSET, paid, RECIPIENT)] if paid else self._alert()

    def _redemption_fee(self) -> list[EmittedLog]:
        fee = self._amount()
        self.kept += fee
        return [emitted_log(ADDRESSES.vault, "RedemptionFeeAdded", fee)]

    def _withdrawal(self) -> list[EmittedLog]:
        amount, self.kept = self.kept, 0
        return [
            emitted_log(ADDRESSES.vault, "RedemptionFeeReduced", amount),
            transfer_out(ASSET, amount, RECIPIENT),
            emitted_log(ADDRESSES.asset_controller, "RedemptionFeesWithdrawn", RECIPIENT, amount),
        ]

    def _order(self) -> list[EmittedLog]:
        self.orders += 1
        token, paid, got = self._token(), self._amount(), self._amount()
        logs = [emitted_log(OTC, "OrderCreated", self.orders, token, paid, got, MARKET)]
        if self.orders % 4 == 1:
            return logs
        if self.orders % 4 == 2:
            return [*logs, emitted_log(OTC, "OrderCancelled", self.orders)]
        logs += [transfer_out(ASSET, paid), emitted_log(OTC, "OrderPaid", self.orders, paid)]
        return (
            logs
            if self.orders % 4 == 3
            else [*logs, transfer_in(token, got), emitted_log(OTC, "OrderDelivered", self.orders, got)]
        )

    def _alert(self) -> list[EmittedLog]:
        if self.rng.random() < 0.5:
            return [emitted_log(ADDRESSES.redemption_manager, "CriticalLiquidityAlert", 1_400, 1_500, 10**20)]
        return [emitted_log(ADDRESSES.redemption_manager, "LowLiquidityAlert", 1_900, 2_000, 10**20, 10**21)]

    def _nothing_bought(self) -> list[EmittedLog]:
        return [emitted_log(ADDRESSES.asset_controller, "AssetPurchased", self._token(), 1, 0, 0)]

    def _yield(self) -> list[EmittedLog]:
        token, got = self._token(), self._amount()
        return [transfer_in(token, got), emitted_log(ADDRESSES.asset_controller, "YieldCompounded", token, got, got)]

    def _unattributed(self) -> list[EmittedLog]:
        return (
            [transfer_out(self._token(), self._amount())] if self.rng.random() < 0.5 else [transfer_in(ASSET, self._amount())]
        )

    def _role(self) -> list[EmittedLog]:
        name = self.rng.choice(("RoleGranted", "RoleRevoked"))
        return [emitted_log(ADDRESSES.vault, name, OnChainRole.OPERATOR_ROLE.id, self._token(), RECIPIENT)]
