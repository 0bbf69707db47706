"""Whole transactions of the event catalogue for the synthetic fund: money, assets, trades, OTC orders, fees, alerts."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from tests.support.factories.strategies import address

from paimon.domain.chain.tracked_contracts import Followed, FollowedContract, Origin
from paimon.domain.kernel.chain import Address, ContractName, OnChainRole
from paimon.infrastructure.blockchain.abi import Entry, load_abi
from paimon.infrastructure.blockchain.contracts import FundAddresses

ADDRESSES: Final = FundAddresses(address(0xFA), address(0xFB), address(0xFC))
ASSET: Final = address(0xA0)
TOKENS: Final = tuple(address(0xA1 + number) for number in range(4))
OTC: Final = address(0xFD)
RECIPIENT: Final = address(0xFE)
MARKET: Final = address(0xFF)
FOLLOWED: Final = Followed.of(
    [
        *(FollowedContract(where, name, Origin.SETTINGS, 1) for where, name in ADDRESSES.names().items()),
        FollowedContract(ASSET, ContractName.TOKEN, Origin.VAULT_ASSET, 1),
        *(FollowedContract(token, ContractName.TOKEN, Origin.EVENT, 1) for token in TOKENS),
        FollowedContract(OTC, ContractName.OTC_MANAGER, Origin.EVENT, 1),
    ]
)
VAULT, MANAGER, CONTROLLER = ContractName.VAULT, ContractName.REDEMPTION_MANAGER, ContractName.ASSET_CONTROLLER

Spoken = tuple[Address, tuple[bytes, ...], bytes]
"""Who logged it, the topics and the data."""


@cache
def _event(contract: ContractName, name: str) -> Entry:
    return next(each for each in load_abi(contract.value).events_by_topic.values() if each.name == name)


def _word(value: int | bytes) -> bytes:
    return value.rjust(32, b"\0") if isinstance(value, bytes) else value.to_bytes(32)


def spoken(where: Address, name: str, *args: int | bytes) -> Spoken:
    """The log of an event all of whose arguments are a word each."""
    event = _event(FOLLOWED.names()[where], name)
    words = [(each.indexed, _word(value)) for each, value in zip(event.inputs, args, strict=True)]
    topics = (event.topic, *(word for indexed, word in words if indexed))
    return where, topics, b"".join(word for indexed, word in words if not indexed)


def came(token: Address, amount: int, sender: Address = MARKET) -> Spoken:
    return spoken(token, "Transfer", sender, ADDRESSES.vault, amount)


def went(token: Address, amount: int, receiver: Address = MARKET) -> Spoken:
    return spoken(token, "Transfer", ADDRESSES.vault, receiver, amount)


@dataclass(slots=True)
class Catalogue:
    """Tells transactions of every kind in turn; its own sums make each valid.

    One tier and one kind of fee never appear, so that a key can be made wrong without meeting another row.
    """

    rng: random.Random
    orders: int = 0
    owed: int = 0
    kept: int = 0
    turn: int = 0
    transactions: list[list[Spoken]] = field(default_factory=list)

    def beginning(self) -> Iterator[list[Spoken]]:
        """Who works for the fund, its assets and tiers: what a deployment tells."""
        controller = ADDRESSES.asset_controller
        for number, name in enumerate(("FeeRecipientUpdated", "OracleAdapterUpdated", "SwapHelperUpdated")):
            yield [spoken(controller, name, bytes(20), address(0xE0 + number) if number else RECIPIENT)]
        yield [spoken(controller, "OTCManagerUpdated", bytes(20), OTC)]
        for number, token in enumerate(TOKENS):
            yield [spoken(controller, "AssetAdded", token, number % 3, 2_500)]
            yield [spoken(controller, "AssetAdapterUpdated", token, bytes(20), MARKET)]
        yield [spoken(controller, "AssetRemoved", TOKENS[3])]
        for tier, (target, least, most) in ((1, (3_000, 2_000, 4_000)), (2, (6_000, 5_000, 7_000))):
            yield [spoken(controller, "LayerConfigUpdated", tier, target, least, most)]
        yield [spoken(ADDRESSES.vault, "RoleGranted", OnChainRole.ADMIN_ROLE.id, RECIPIENT, RECIPIENT)]

    def next(self) -> list[Spoken]:
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
            self._untold,
            self._role,
        )
        self.turn += 1
        return steps[self.turn % len(steps)]()

    def _amount(self) -> int:
        return self.rng.randrange(1, 10**20)

    def _token(self) -> Address:
        return self.rng.choice(TOKENS)

    def _deposit(self) -> list[Spoken]:
        amount, sender = self._amount(), address(0x500 + self.rng.randrange(9))
        processed = spoken(ADDRESSES.vault, "DepositProcessed", sender, sender, amount, amount)
        return [came(ASSET, amount, sender), spoken(ADDRESSES.vault, "Deposit", sender, sender, amount, amount), processed]

    def _purchase(self) -> list[Spoken]:
        token, paid, got = self._token(), self._amount(), self._amount()
        routed = spoken(ADDRESSES.asset_controller, "PurchaseRouted", token, 1, 1, paid, got)
        told = [went(ASSET, paid), came(token, got), routed]
        if self.rng.random() < 0.5:
            told.append(spoken(ADDRESSES.asset_controller, "AssetPurchased", token, 1, paid, got))
        return told

    def _sale(self) -> list[Spoken]:
        token, sold, got = self._token(), self._amount(), self._amount()
        redeemed = spoken(ADDRESSES.asset_controller, "AssetRedeemed", token, 2, sold, got)
        return [went(token, sold), came(ASSET, got), redeemed]

    def _waterfall(self) -> list[Spoken]:
        token, sold, got = self._token(), self._amount(), self._amount()
        liquidated = spoken(ADDRESSES.asset_controller, "WaterfallLiquidation", 1, token, sold, got)
        refilled = spoken(ADDRESSES.asset_controller, "BufferPoolRebalanced", 1, 1 + got, got)
        return [went(token, sold), came(ASSET, got), liquidated, refilled]

    def _accrual(self) -> list[Spoken]:
        fee = self._amount()
        self.owed += fee
        return [spoken(ADDRESSES.asset_controller, "PerformanceFeeCollected", fee, 10 * fee, 10**25)]

    def _collection(self) -> list[Spoken]:
        paid, self.owed = self.owed, 0
        return [went(ASSET, paid, RECIPIENT)] if paid else self._alert()

    def _redemption_fee(self) -> list[Spoken]:
        fee = self._amount()
        self.kept += fee
        return [spoken(ADDRESSES.vault, "RedemptionFeeAdded", fee)]

    def _withdrawal(self) -> list[Spoken]:
        amount, self.kept = self.kept, 0
        return [
            spoken(ADDRESSES.vault, "RedemptionFeeReduced", amount),
            went(ASSET, amount, RECIPIENT),
            spoken(ADDRESSES.asset_controller, "RedemptionFeesWithdrawn", RECIPIENT, amount),
        ]

    def _order(self) -> list[Spoken]:
        self.orders += 1
        token, paid, got = self._token(), self._amount(), self._amount()
        told = [spoken(OTC, "OrderCreated", self.orders, token, paid, got, MARKET)]
        if self.orders % 4 == 1:
            return told
        if self.orders % 4 == 2:
            return [*told, spoken(OTC, "OrderCancelled", self.orders)]
        told += [went(ASSET, paid), spoken(OTC, "OrderPaid", self.orders, paid)]
        return told if self.orders % 4 == 3 else [*told, came(token, got), spoken(OTC, "OrderDelivered", self.orders, got)]

    def _alert(self) -> list[Spoken]:
        if self.rng.random() < 0.5:
            return [spoken(ADDRESSES.redemption_manager, "CriticalLiquidityAlert", 1_400, 1_500, 10**20)]
        return [spoken(ADDRESSES.redemption_manager, "LowLiquidityAlert", 1_900, 2_000, 10**20, 10**21)]

    def _nothing_bought(self) -> list[Spoken]:
        return [spoken(ADDRESSES.asset_controller, "AssetPurchased", self._token(), 1, 0, 0)]

    def _yield(self) -> list[Spoken]:
        token, got = self._token(), self._amount()
        return [came(token, got), spoken(ADDRESSES.asset_controller, "YieldCompounded", token, got, got)]

    def _untold(self) -> list[Spoken]:
        return [went(self._token(), self._amount())] if self.rng.random() < 0.5 else [came(ASSET, self._amount())]

    def _role(self) -> list[Spoken]:
        name = self.rng.choice(("RoleGranted", "RoleRevoked"))
        return [spoken(ADDRESSES.vault, name, OnChainRole.OPERATOR_ROLE.id, self._token(), RECIPIENT)]
