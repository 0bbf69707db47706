"""Tests of the projection of the whole catalogue: batches make no difference, and impossible events change nothing."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.event_builders import ASSET_TOKEN, MARKET, TREASURY, amount, chain_transaction
from tests.support.factories.strategies import address, stamp
from tests.support.factories.synthetic_catalogue import ADDRESSES, ASSET, OTC, TOKENS, TRACKED, Catalogue, EmittedLog

from paimon.application.event_listener.fetch.block_range import ChainLog
from paimon.application.event_listener.fetch.decode import decode_log
from paimon.domain.asset.asset import Asset, apply_asset_event, tier_band_from_event
from paimon.domain.asset.otc_order import OrderStatus, OtcOrder, apply_order_event
from paimon.domain.asset.tier import Tier
from paimon.domain.asset.token_transfer import TransferDirection, TransferPurpose
from paimon.domain.chain.tracked_contracts import ContractOrigin, TrackedContract, TrackedContracts
from paimon.domain.events import (
    AssetAdapterUpdated,
    AssetAdded,
    AssetAllocationUpdated,
    AssetRemoved,
    ChainTransaction,
    LayerConfigUpdated,
    LoggedEvent,
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderEvent,
    OrderPaid,
    OTCManagerUpdated,
)
from paimon.domain.events.errors import InapplicableEvent
from paimon.domain.kernel.chain import ContractName, Hash32
from paimon.domain.kernel.treasury import Treasury
from paimon.domain.projection import Facts, Projection, required_rows
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi

pytestmark = pytest.mark.unit

SYNTHETIC = Treasury(ADDRESSES.vault, ASSET)
ABIS = {name: load_abi(name.value) for name in ContractName}


def decoded(emitted_logs: Sequence[EmittedLog], number: int) -> ChainTransaction:
    names, tx_hash = TRACKED.names(), Hash32(number.to_bytes(32))
    logs = [
        decode_log(ChainLog(stamp(number), index, tx_hash, 0, where, topics, data), names, ABIS)
        for index, (where, topics, data) in enumerate(emitted_logs)
    ]
    assert [log.reason for log in logs if log.reason] == []
    events = tuple(LoggedEvent(log.event, log.contract, log.log.log_index) for log in logs if log.event)
    return ChainTransaction(stamp(number), tx_hash, events, frozenset(log.contract for log in logs))


def history(seed: int, length: int) -> list[ChainTransaction]:
    """A deployment, then transactions of every kind in turn."""
    catalogue = Catalogue(random.Random(seed))
    emitted_logs = [*catalogue.deployment_logs(), *(catalogue.next() for _ in range(length))]
    return [decoded(item, number) for number, item in enumerate(emitted_logs, start=1)]


HISTORIES = st.builds(history, st.integers(0, 2**32), st.integers(0, 60))
STATE_TABLES = ("assets", "orders", "token_flows")


def fold(transactions: Iterable[ChainTransaction], projection: Projection) -> None:
    for transaction in transactions:
        assert projection.fold(transaction, SYNTHETIC) == {}


def fold_with_required_rows_only(transactions: list[ChainTransaction], projection: Projection) -> None:
    """Fold as the listener does: a batch loads only the rows that `required_rows` names, and writes back what changed."""
    needed = required_rows(logged.event for transaction in transactions for logged in transaction.events)
    loaded = Projection(
        assets={key: value for key, value in projection.assets.items() if key in needed.assets},
        orders={key: value for key, value in projection.orders.items() if key in needed.orders},
        token_flows={key: value for key, value in projection.token_flows.items() if key in needed.tokens},
        fees=dict(projection.fees) if needed.fees else {},
        protocol_addresses=dict(projection.protocol_addresses) if needed.fees else {},
    )
    fold(transactions, loaded)
    for name in (*STATE_TABLES, "tier_bands", "protocol_addresses", "fees", "roles", "flags"):
        getattr(projection, name).update(getattr(loaded, name))
    for field in fields(Facts):
        getattr(projection.facts, field.name).extend(getattr(loaded.facts, field.name))


@given(HISTORIES, st.data())
def test_catalogue_projection_does_not_depend_on_batches(transactions: list[ChainTransaction], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(transactions)), max_size=6)))
    at_once, in_batches = Projection(), Projection()
    fold(transactions, at_once)
    for start, end in zip([0, *cuts], [*cuts, len(transactions)], strict=True):
        fold_with_required_rows_only(transactions[start:end], in_batches)
    assert in_batches == at_once


@given(HISTORIES)
def test_every_transfer_is_recorded_once_and_sums_agree(transactions: list[ChainTransaction]) -> None:
    projection = Projection()
    fold(transactions, projection)
    transfers = [
        logged for transaction in transactions for logged in transaction.events if logged.contract is ContractName.TOKEN
    ]
    assert len(projection.facts.transfers) == len(transfers)
    for token, flow in projection.token_flows.items():
        moved = [transfer for transfer in projection.facts.transfers if transfer.token == token]
        assert flow.received == sum(transfer.amount for transfer in moved if transfer.direction is TransferDirection.IN)
        assert flow.sent == sum(transfer.amount for transfer in moved if transfer.direction is TransferDirection.OUT)
    deposits = sum(transfer.amount for transfer in projection.facts.transfers if transfer.purpose is TransferPurpose.DEPOSIT)
    assert deposits == sum(deposit.assets for deposit in projection.facts.deposits)
    for trade in (trade for trade in projection.facts.trades if trade.has_effect):
        of_trade = [
            transfer for transfer in projection.facts.transfers if transfer.source_log_index == trade.log_position.log_index
        ]
        amounts = sorted(
            transfer.amount for transfer in of_trade if transfer.log_position.tx_hash == trade.log_position.tx_hash
        )
        assert amounts == sorted([trade.usdt_amount, trade.token_amount])
    for kind, account in projection.fees.items():
        for entry_type, total in (("ACCRUED", account.accrued), ("PAID", account.paid)):
            assert total == sum(
                entry.amount for entry in projection.facts.fee_entries if (entry.kind, entry.entry_type) == (kind, entry_type)
            )


ADDED = AssetAdded(ASSET_TOKEN, 2, 1_000)


def after(*events: AssetAdded | AssetRemoved | AssetAllocationUpdated | AssetAdapterUpdated) -> Asset:
    asset: Asset | None = None
    for number, event in enumerate(events, start=1):
        asset = apply_asset_event(asset, event, at=stamp(number))
    assert asset is not None
    return asset


def test_asset_follows_its_events() -> None:
    changed = after(ADDED, AssetAllocationUpdated(ASSET_TOKEN, 2_000), AssetAdapterUpdated(ASSET_TOKEN, MARKET))
    assert (changed.tier, changed.allocation_bps, changed.adapter, changed.is_active) == (Tier.L3, 2_000, MARKET, True)
    removed = after(ADDED, AssetRemoved(ASSET_TOKEN))
    assert (removed.is_active, removed.added_block, removed.removed_block) == (False, 1, 2)
    again = after(ADDED, AssetAdapterUpdated(ASSET_TOKEN, MARKET), AssetRemoved(ASSET_TOKEN), ADDED)
    assert (again.is_active, again.added_block, again.removed_block, again.adapter) == (True, 4, None, None)


@pytest.mark.parametrize(
    "events",
    [
        [ADDED, ADDED],
        [AssetRemoved(ASSET_TOKEN)],
        [AssetAllocationUpdated(ASSET_TOKEN, 1)],
        [AssetAdapterUpdated(ASSET_TOKEN, MARKET)],
        [ADDED, AssetRemoved(ASSET_TOKEN), AssetRemoved(ASSET_TOKEN)],
        [AssetAdded(ASSET_TOKEN, 3, 1)],
        [AssetAdded(ASSET_TOKEN, 0, 10_001)],
        [ADDED, AssetAllocationUpdated(ASSET_TOKEN, 10_001)],
    ],
)
def test_asset_rejects_events_that_cannot_follow(events: list[AssetAdded | AssetRemoved]) -> None:
    with pytest.raises(InapplicableEvent):
        after(*events)


@given(*[st.integers(0, 12_000)] * 3, st.integers(0, 4))
def test_tier_band_is_in_order_or_rejected(target: int, least: int, most: int, tier: int) -> None:
    event = LayerConfigUpdated(tier, target, least, most)
    if least <= target <= most <= 10_000 and tier < 3:
        band = tier_band_from_event(event, at=stamp(5))
        assert (band.target_bps, band.min_bps, band.max_bps, band.since_block) == (target, least, most, 5)
        return
    with pytest.raises(InapplicableEvent):
        tier_band_from_event(event, at=stamp(5))


STEPS: dict[str, OrderEvent] = {
    "created": OrderCreated(OTC, 1, ASSET_TOKEN, amount(5), amount(9), MARKET),
    "paid": OrderPaid(OTC, 1, amount(5)),
    "delivered": OrderDelivered(OTC, 1, amount(8)),
    "cancelled": OrderCancelled(OTC, 1),
}
WORKFLOWS = {
    ("created",): OrderStatus.PENDING,
    ("created", "paid"): OrderStatus.PAID,
    ("created", "paid", "delivered"): OrderStatus.DELIVERED,
    ("created", "cancelled"): OrderStatus.CANCELLED,
    ("created", "paid", "cancelled"): OrderStatus.CANCELLED,
}


@given(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=4))
def test_otc_order_follows_its_transitions_or_rejects_event(steps: list[str]) -> None:
    order: OtcOrder | None = None
    taken: tuple[str, ...] = ()
    for number, step in enumerate(steps, start=1):
        if (*taken, step) not in WORKFLOWS:
            with pytest.raises(InapplicableEvent):
                apply_order_event(order, STEPS[step], at=stamp(number))
            continue
        order, taken = apply_order_event(order, STEPS[step], at=stamp(number)), (*taken, step)
        assert order.status is WORKFLOWS[taken]
        assert (order.closed_at is not None) == (order.status in (OrderStatus.DELIVERED, OrderStatus.CANCELLED))


def test_orders_of_two_managers_are_numbered_separately() -> None:
    projection = Projection()
    for manager in (OTC, address(0xEE)):
        projection.fold(chain_transaction(OrderCreated(manager, 1, ASSET_TOKEN, amount(5), amount(9), MARKET)), TREASURY)
    assert set(projection.orders) == {(OTC, 1), (address(0xEE), 1)}


def announcements() -> Iterator[tuple[AssetAdded | OTCManagerUpdated, int]]:
    yield AssetAdded(TOKENS[1], 1, 0), 7
    yield AssetAdded(ASSET_TOKEN, 1, 0), 8
    yield AssetAdded(ASSET_TOKEN, 1, 0), 9
    yield OTCManagerUpdated(address(0)), 9
    yield OTCManagerUpdated(address(0xEE)), 9


def test_only_untracked_contracts_are_discovered_from_their_first_block() -> None:
    tracked = TrackedContracts.of(
        tracked_contract for tracked_contract in TRACKED.contracts.values() if tracked_contract.address != ASSET_TOKEN
    )
    found = tracked.discovered(announcements())
    assert found == [
        TrackedContract(ASSET_TOKEN, ContractName.TOKEN, ContractOrigin.EVENT, 8),
        TrackedContract(address(0xEE), ContractName.OTC_MANAGER, ContractOrigin.EVENT, 9),
    ]
    assert tracked.with_added(found).discovered(announcements()) == []
    assert tracked.with_added(found).treasury == Treasury(ADDRESSES.vault, ASSET)
