"""Tests of NAV attribution: exact for any inputs, and without unexplained components when the inputs are complete."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.nav_histories import CASH, History
from tests.support.factories.snapshots import NOON, position, snapshot, snapshots, token

from paimon.domain.asset.token_transfer import TransferPurpose
from paimon.domain.kernel.chain import Hash32, LogPosition
from paimon.domain.kernel.units import WAD, RawAmount
from paimon.domain.vault.fund_snapshot import FundSnapshot, OrderInTransit
from paimon.domain.vault.nav_attribution import attribute_nav_change
from paimon.domain.vault.nav_components import (
    AttributionGroup,
    AttributionMismatch,
    ComponentKey,
    ComponentKind,
    NavAttribution,
    NavComponent,
    combine_attributions,
)
from paimon.domain.vault.nav_inputs import (
    AssetTransfer,
    DepositInput,
    FeeInput,
    FeeInputKind,
    NavInputs,
    RedemptionInput,
    RedemptionTransition,
)

pytestmark = pytest.mark.unit

POSITION = LogPosition(2, 0, Hash32(bytes(32)), NOON)
SEEDS = st.integers(0, 2**32)
MILLION = RawAmount(10**6 * WAD)


def amounts(attribution: NavAttribution) -> dict[AttributionGroup, int]:
    return {group: attribution.total(group) for group in AttributionGroup if attribution.in_group(group)}


# ------------------------------------------------------------------------------------------------- what always holds

TRANSFERS = st.builds(
    AssetTransfer,
    st.just(POSITION),
    st.sampled_from([CASH, *map(token, range(1, 6))]),
    st.integers(-(10**27), 10**27),
    st.sampled_from(TransferPurpose),
    st.none() | st.sampled_from([*map(token, range(1, 6))]),
    st.none() | st.integers(1, 4),
)
MONEY = st.integers(0, 10**27).map(RawAmount)
INPUTS = st.builds(
    NavInputs,
    st.lists(TRANSFERS, max_size=6).map(tuple),
    st.lists(st.builds(DepositInput, st.just(POSITION), MONEY, MONEY), max_size=3).map(tuple),
    st.lists(
        st.builds(RedemptionInput, st.just(POSITION), st.sampled_from(RedemptionTransition), MONEY, MONEY), max_size=4
    ).map(tuple),
    st.lists(st.builds(FeeInput, st.just(POSITION), st.sampled_from(FeeInputKind), MONEY), max_size=4).map(tuple),
)


@given(snapshots(), snapshots(), INPUTS)
def test_components_add_up_for_any_inputs(start: FundSnapshot, end: FundSnapshot, nav_inputs: NavInputs) -> None:
    """The components add up even between two unrelated funds, with transfers that fit neither."""
    attribution = attribute_nav_change(start, replace(end, asset=start.asset), nav_inputs)
    assert sum(component.amount for component in attribution.components) == end.net_assets - start.net_assets
    assert sum(component.per_share for component in attribution.components) == end.nav_per_share - start.nav_per_share
    assert abs(attribution.total(AttributionGroup.ROUNDING)) <= attribution.division_count


@given(SEEDS, st.integers(0, 40))
def test_nothing_is_unexplained_when_inputs_are_complete(seed: int, interval_count: int) -> None:
    history = History.of(seed)
    start = history.now
    history.act(interval_count)
    nav_inputs = history.take_inputs()
    attribution = attribute_nav_change(start, history.now, nav_inputs)
    assert attribution.unexplained == ()
    assert attribution.total(AttributionGroup.REDEMPTIONS) == sum(
        {RedemptionTransition.REQUESTED: -1, RedemptionTransition.RETURNED: 1, RedemptionTransition.SETTLED: 0}[
            redemption.transition
        ]
        * redemption.gross_amount
        for redemption in nav_inputs.redemptions
    )
    assert attribution.total(AttributionGroup.DEPOSITS) == sum(deposit.assets for deposit in nav_inputs.deposits)
    assert attribution.total(AttributionGroup.OTC_IN_TRANSIT) == start.in_transit_total - history.now.in_transit_total


@given(SEEDS, st.integers(1, 20), st.data())
def test_hidden_transfer_is_unexplained_by_its_exact_value(seed: int, interval_count: int, data: st.DataObject) -> None:
    """A Transfer without a log is missed by its exact value, in its token."""
    history = History.of(seed)
    start = history.now
    history.act(interval_count)
    nav_inputs = history.take_inputs()
    cash = [
        transfer
        for transfer in nav_inputs.asset_transfers
        if transfer.token == CASH and transfer.purpose is TransferPurpose.DEPOSIT and transfer.amount
    ]
    if not cash:
        return
    hidden = data.draw(st.sampled_from(cash))
    attribution = attribute_nav_change(
        start,
        history.now,
        replace(
            nav_inputs, asset_transfers=tuple(transfer for transfer in nav_inputs.asset_transfers if transfer is not hidden)
        ),
    )
    assert [(component.key, component.amount) for component in attribution.unexplained] == [
        (ComponentKey(AttributionGroup.UNEXPLAINED, ComponentKind.NO_TRANSFER, CASH), hidden.amount)
    ]


@given(SEEDS, st.lists(st.integers(0, 8), min_size=2, max_size=6))
def test_combined_attributions_equal_attribution_of_whole(seed: int, lengths: list[int]) -> None:
    history = History.of(seed)
    first, attribution, everything = history.now, [], []
    for length in lengths:
        start = history.now
        history.act(length)
        nav_inputs = history.take_inputs()
        everything.append(nav_inputs)
        attribution.append(attribute_nav_change(start, history.now, nav_inputs))
    joined = combine_attributions(attribution)
    whole = attribute_nav_change(first, history.now, _together(everything))
    assert (joined.change, joined.change_per_share) == (whole.change, whole.change_per_share)
    assert joined.interval_count == len(lengths)
    for exact in (
        AttributionGroup.DEPOSITS,
        AttributionGroup.REDEMPTIONS,
        AttributionGroup.FEES,
        AttributionGroup.OTC_IN_TRANSIT,
        AttributionGroup.UNEXPLAINED,
    ):
        assert joined.total(exact) == whole.total(exact)
    assert combine_attributions([combine_attributions(attribution[:1]), combine_attributions(attribution[1:])]) == joined


def _together(inputs: list[NavInputs]) -> NavInputs:
    def all_of(name: str) -> tuple[Any, ...]:
        return tuple(item for nav_inputs in inputs for item in getattr(nav_inputs, name))

    return NavInputs(all_of("asset_transfers"), all_of("deposits"), all_of("redemptions"), all_of("fees"))


def test_attributions_that_do_not_follow_are_not_combined() -> None:
    one, other = (attribute_nav_change(snapshot(number), snapshot(number + 1), NavInputs()) for number in (1, 5))
    with pytest.raises(ValueError, match="cannot be followed"):
        combine_attributions([one, other])


def test_attribution_refuses_components_that_do_not_add_up() -> None:
    with pytest.raises(AttributionMismatch):
        NavAttribution(
            snapshot(1),
            snapshot(2),
            (NavComponent(ComponentKey(AttributionGroup.PRICE, ComponentKind.PRICE), amount=1),),
            division_count=1,
        )
    end = snapshot(2, cash=RawAmount(snapshot().cash + 1))
    with pytest.raises(AttributionMismatch, match="0 divisions"):
        NavAttribution(
            snapshot(1),
            end,
            (NavComponent(ComponentKey(AttributionGroup.ROUNDING, ComponentKind.DIVISION), amount=1),),
            division_count=0,
        )


# ----------------------------------------------------------------------------------------------------- one by one


def test_price_change_moves_held_value() -> None:
    start = snapshot(1, assets=(position(1),))
    end = snapshot(2, assets=(position(1, price=RawAmount(110 * WAD // 100)),))
    attribution = attribute_nav_change(start, end, NavInputs())
    (component,) = attribution.components
    assert (component.key, component.amount) == (
        ComponentKey(AttributionGroup.PRICE, ComponentKind.PRICE, token(1)),
        50_000 * WAD,
    )
    assert component.per_share == 5 * 10**15  # 50 000 for 10 million shares


def test_purchase_result_is_token_value_less_money_paid() -> None:
    start = snapshot(1, assets=(position(1),))
    bought = 950_000 * 10**6
    end = snapshot(2, cash=RawAmount(start.cash - MILLION), assets=(position(1, balance=RawAmount(10**12 + bought)),))
    asset_transfers = (
        AssetTransfer(POSITION, CASH, -MILLION, TransferPurpose.PURCHASE, asset=token(1)),
        AssetTransfer(replace(POSITION, log_index=1), token(1), bought, TransferPurpose.PURCHASE),
    )
    attribution = attribute_nav_change(start, end, NavInputs(asset_transfers))
    (component,) = attribution.components
    assert (component.key.group, component.amount) == (AttributionGroup.TRADING, 950_000 * WAD * 105 // 100 - MILLION)
    assert len(component.log_positions) == 2


def test_order_money_is_in_transit_until_delivery() -> None:
    start = snapshot(1, assets=(position(1, balance=RawAmount(0)),))
    order = OrderInTransit(7, token(1), MILLION, RawAmount(10**12), token(9))
    paid = replace(snapshot(2, cash=RawAmount(start.cash - MILLION)), assets=start.assets, in_transit=(order,))
    first = attribute_nav_change(
        start,
        paid,
        NavInputs((AssetTransfer(POSITION, CASH, -MILLION, TransferPurpose.OTC_PAYMENT, asset=token(1), order_id=7),)),
    )
    assert amounts(first) == {AttributionGroup.OTC_IN_TRANSIT: -MILLION}
    here = replace(paid, at=snapshot(3).at, in_transit=(), assets=(position(1),))
    second = attribute_nav_change(
        paid, here, NavInputs((AssetTransfer(POSITION, token(1), 10**12, TransferPurpose.OTC_DELIVERY, order_id=7),))
    )
    assert amounts(second) == {AttributionGroup.OTC_IN_TRANSIT: MILLION, AttributionGroup.TRADING: 50_000 * WAD}
    assert amounts(combine_attributions([first, second]))[AttributionGroup.OTC_IN_TRANSIT] == 0


def test_order_that_ends_without_tokens_is_a_loss() -> None:
    order = OrderInTransit(7, token(1), MILLION, RawAmount(10**12), token(9))
    start = snapshot(1, in_transit=(order,), assets=(position(1, balance=RawAmount(0)),))
    attribution = attribute_nav_change(start, replace(start, in_transit=()), NavInputs())
    assert amounts(attribution) == {AttributionGroup.OTC_IN_TRANSIT: MILLION, AttributionGroup.TRADING: -MILLION}


def test_deposit_below_nav_dilutes_by_its_step() -> None:
    """Deployed behaviour 1, in its measured size: 5 M come in while 1.35 M of 10 M are locked."""
    locked = RawAmount(1_350_000 * WAD)
    start = snapshot(1, locked_shares=locked, redemption_liability=locked)
    price = Fraction(start.net_assets, start.total_supply)
    shares = RawAmount(int(5 * MILLION / price))
    end = replace(
        start,
        at=snapshot(2).at,
        cash=RawAmount(start.cash + 5 * MILLION),
        total_supply=RawAmount(start.total_supply + shares),
    )
    attribution = attribute_nav_change(
        start,
        end,
        NavInputs(
            (AssetTransfer(POSITION, CASH, 5 * MILLION, TransferPurpose.DEPOSIT),),
            (DepositInput(POSITION, RawAmount(5 * MILLION), shares),),
        ),
    )
    (component,) = attribution.components
    assert component.key.group is AttributionGroup.DEPOSITS
    assert component.per_share == end.nav_per_share - start.nav_per_share < -(5 * 10**16)


def test_request_at_nav_changes_net_assets_but_not_nav() -> None:
    start = snapshot(1)
    end = snapshot(2, locked_shares=MILLION, redemption_liability=MILLION)
    attribution = attribute_nav_change(
        start, end, NavInputs(redemptions=(RedemptionInput(POSITION, RedemptionTransition.REQUESTED, MILLION, MILLION),))
    )
    (component,) = attribution.components
    assert (component.amount, component.per_share) == (-MILLION, 0)


def test_collection_is_split_by_accruals() -> None:
    start = snapshot(1, fees=replace(snapshot().fees, accrued_management=RawAmount(30), accrued_performance=RawAmount(5)))
    end = snapshot(2, cash=RawAmount(start.cash - 100), fees=snapshot().fees)
    transfer = AssetTransfer(POSITION, CASH, -100, TransferPurpose.FEE_COLLECTION)
    accrued = (
        FeeInput(POSITION, FeeInputKind.MANAGEMENT_ACCRUED, RawAmount(20)),
        FeeInput(POSITION, FeeInputKind.PERFORMANCE_ACCRUED, RawAmount(45)),
    )
    attribution = attribute_nav_change(start, end, NavInputs((transfer,), fees=accrued))
    assert {component.key.kind: component.amount for component in attribution.in_group(AttributionGroup.FEES)} == {
        "management": -50,
        "performance": -50,
    }
    unclear = attribute_nav_change(start, end, NavInputs((transfer,)))
    assert {component.key.kind: component.amount for component in unclear.in_group(AttributionGroup.FEES)} == {
        "management and performance": -100
    }


def test_accrued_fee_changes_nothing() -> None:
    """Deployed behaviour 4: a purchase of L3 can accrue a fee at once; NAV falls when the fee is collected."""
    start = snapshot(1)
    end = snapshot(2, fees=replace(start.fees, accrued_performance=MILLION))
    attribution = attribute_nav_change(
        start, end, NavInputs(fees=(FeeInput(POSITION, FeeInputKind.PERFORMANCE_ACCRUED, MILLION),))
    )
    assert attribution.components == ()


def test_listing_brings_value_and_delisting_takes_it() -> None:
    listed, off = snapshot(1, assets=(position(1),)), snapshot(2, assets=(position(1, is_listed=False),))
    assert amounts(attribute_nav_change(listed, off, NavInputs())) == {AttributionGroup.ASSET_LISTING: -1_050_000 * WAD}
    assert amounts(attribute_nav_change(off, listed, NavInputs())) == {AttributionGroup.ASSET_LISTING: 1_050_000 * WAD}
    assert amounts(attribute_nav_change(snapshot(0), listed, NavInputs())) == {AttributionGroup.ASSET_LISTING: 1_050_000 * WAD}
    dearer = snapshot(2, assets=(position(1, is_listed=False, price=RawAmount(2 * WAD)),))
    assert amounts(attribute_nav_change(listed, dearer, NavInputs())) == {
        AttributionGroup.PRICE: 950_000 * WAD,
        AttributionGroup.ASSET_LISTING: -2 * MILLION,
    }


def test_shares_without_log_are_unexplained() -> None:
    end = snapshot(2, total_supply=RawAmount(2 * snapshot().total_supply))
    attribution = attribute_nav_change(snapshot(1), end, NavInputs())
    assert [(component.key.kind, component.amount, component.per_share) for component in attribution.unexplained] == [
        ("shares", 0, -WAD // 2)
    ]


def test_shortfall_is_a_component_of_its_own() -> None:
    liability = RawAmount(snapshot().cash + MILLION)
    end = snapshot(2, redemption_liability=liability)
    attribution = attribute_nav_change(
        snapshot(1),
        end,
        NavInputs(redemptions=(RedemptionInput(POSITION, RedemptionTransition.REQUESTED, liability, RawAmount(0)),)),
    )
    assert amounts(attribution) == {AttributionGroup.REDEMPTIONS: -liability, AttributionGroup.SHORTFALL: MILLION}
