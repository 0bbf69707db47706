"""Tests that purchases and sales are counted once, however many logs describe them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.event_builders import (
    ASSET_TOKEN,
    USDT,
    VAULT,
    amount,
    chain_transaction,
    transfer_in,
    transfer_out,
)

from paimon.domain.asset.purchase_method import PurchaseMethod
from paimon.domain.asset.tier import Tier
from paimon.domain.asset.trade import Trade, TradeKind, TradeTrigger, extract_trades
from paimon.domain.events import (
    AssetPurchased,
    AssetRedeemed,
    BufferPoolRebalanced,
    FundEvent,
    PurchaseRouted,
    RedemptionSettled,
    WaterfallLiquidation,
)

pytestmark = pytest.mark.unit


def routed(paid: int, got: int, *, method: int = 1, tier: int = 1) -> PurchaseRouted:
    return PurchaseRouted(ASSET_TOKEN, tier, method, amount(paid), amount(got))


def purchased(paid: int, got: int) -> AssetPurchased:
    return AssetPurchased(ASSET_TOKEN, 1, amount(paid), amount(got))


def redeemed(sold: int, got: int) -> AssetRedeemed:
    return AssetRedeemed(ASSET_TOKEN, 2, amount(sold), amount(got))


def liquidated(sold: int, got: int) -> WaterfallLiquidation:
    return WaterfallLiquidation(1, ASSET_TOKEN, amount(sold), amount(got))


def settled(request_id: int) -> RedemptionSettled:
    return RedemptionSettled(request_id, VAULT, VAULT, amount(1), amount(0), amount(1), 0)


def of(*events: FundEvent) -> list[Trade]:
    return extract_trades(chain_transaction(*events), vault=VAULT)


def test_allocation_is_one_purchase() -> None:
    (trade,) = of(transfer_out(USDT, 5), transfer_in(ASSET_TOKEN, 7), routed(5, 7))
    assert (trade.kind, trade.trigger, trade.purchase_method, trade.tier) == (
        TradeKind.PURCHASE,
        TradeTrigger.ALLOCATION,
        PurchaseMethod.SWAP,
        Tier.L2,
    )
    assert trade.log_position.log_index == 2


def test_purchase_logged_twice_is_one_purchase() -> None:
    (trade,) = of(transfer_out(USDT, 5), transfer_in(ASSET_TOKEN, 7), routed(5, 7), purchased(5, 7))
    assert (trade.trigger, trade.purchase_method, trade.usdt_amount, trade.token_amount) == (
        TradeTrigger.PURCHASE,
        PurchaseMethod.SWAP,
        5,
        7,
    )


@given(st.integers(1, 5))
def test_equal_purchases_in_one_transaction_are_all_counted(count: int) -> None:
    found = of(*[routed(5, 7), purchased(5, 7)] * count)
    assert [trade.trigger for trade in found] == [TradeTrigger.PURCHASE] * count
    found = of(*[routed(5, 7)] * count, purchased(5, 7))
    assert sorted(trade.trigger for trade in found) == [TradeTrigger.ALLOCATION] * (count - 1) + [TradeTrigger.PURCHASE]


def test_purchase_logged_only_at_its_end_is_one_purchase() -> None:
    (trade,) = of(purchased(5, 7))
    assert (trade.trigger, trade.purchase_method) == (TradeTrigger.PURCHASE, None)


def test_purchase_of_nothing_is_kept_without_effect() -> None:
    (trade,) = of(purchased(0, 0))
    assert not trade.has_effect
    assert all(trade.has_effect for trade in of(routed(5, 0), routed(0, 5)))


def test_trade_is_kept_when_its_numbers_are_unknown() -> None:
    (trade,) = of(routed(5, 7, method=9, tier=9))
    assert (trade.purchase_method, trade.tier, trade.usdt_amount) == (None, None, 5)


def test_waterfall_belongs_to_settlement_that_follows() -> None:
    found = of(liquidated(1, 1), liquidated(2, 2), settled(8), liquidated(3, 3), settled(9), liquidated(4, 4))
    assert [trade.request_id for trade in found] == [8, 8, 9, None]
    assert {trade.trigger for trade in found} == {TradeTrigger.WATERFALL}


def test_buffer_refill_is_recognised_by_its_last_log() -> None:
    (trade,) = of(liquidated(1, 1), BufferPoolRebalanced(amount(9)))
    assert (trade.trigger, trade.request_id) == (TradeTrigger.BUFFER_REFILL, None)


@pytest.mark.parametrize("order", [0, 1])
def test_sale_logged_twice_is_one_unless_token_left_twice(order: int) -> None:
    both = [redeemed(7, 5), liquidated(7, 5)][:: -1 if order else 1]
    (trade,) = of(transfer_out(ASSET_TOKEN, 7), transfer_in(USDT, 5), *both, settled(3))
    assert (trade.kind, trade.trigger, trade.request_id) == (TradeKind.SALE, TradeTrigger.WATERFALL, 3)
    assert len(of(transfer_out(ASSET_TOKEN, 7), transfer_out(ASSET_TOKEN, 7), *both)) == 2
    assert len(of(transfer_out(ASSET_TOKEN, 7), redeemed(7, 5), liquidated(7, 6))) == 2
