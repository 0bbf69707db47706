"""Tests of fund snapshots: their figures, which are kept, and that storing one loses nothing."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.snapshots import NOON, position, snapshot, snapshots, stamp

from paimon.application.nav.stored_snapshot import UnknownVersion, from_stored_json, to_stored_json
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import WAD, Bps, RawAmount
from paimon.domain.vault.fund_snapshot import FundSnapshot, should_keep_snapshot, token_value

pytestmark = pytest.mark.unit

ONE_BP = Bps(1)


@given(snapshots())
def test_gross_assets_are_cash_and_every_listed_asset_once(taken: FundSnapshot) -> None:
    assert sum(taken.tier_value(tier) for tier in Tier) == taken.vault.gross_assets
    assert taken.vault.gross_assets == taken.cash + sum(position.value for position in taken.assets if position.is_listed)


@given(snapshots())
def test_stored_snapshot_reads_back_the_same(taken: FundSnapshot) -> None:
    assert from_stored_json(json.loads(json.dumps(to_stored_json(taken)))) == taken


def test_snapshot_of_later_version_is_refused() -> None:
    with pytest.raises(UnknownVersion, match="version 2"):
        from_stored_json(to_stored_json(snapshot()) | {"version": 2})


@given(st.integers(0, 10**40), st.integers(0, 10**24), st.integers(0, 30))
def test_token_value_is_less_than_one_unit_below_exact_value(balance: int, price: int, decimals: int) -> None:
    assert 0 <= balance * price - token_value(balance, price, decimals) * 10**decimals < 10**decimals


def test_unlisted_asset_counts_as_zero() -> None:
    listed, removed = position(1), position(2, is_listed=False)
    assert (listed.value, removed.value) == (1_050_000 * WAD, 0)


def test_oldest_price_is_of_an_asset_that_counts() -> None:
    old = NOON - timedelta(days=2)
    assets = (position(1), position(2, is_listed=False, priced_at=old), position(3, balance=RawAmount(0), priced_at=old))
    assert snapshot(assets=assets, at=stamp(1, seconds=0)).oldest_price_age == timedelta(minutes=5)
    assert snapshot().oldest_price_age is None


def test_snapshot_is_kept_when_first_of_hour_or_when_value_moved() -> None:
    kept = snapshot(1)
    assert should_keep_snapshot(None, kept, material_threshold=ONE_BP)
    assert not should_keep_snapshot(kept, snapshot(2), material_threshold=ONE_BP)
    assert should_keep_snapshot(kept, snapshot(2, at=stamp(2, seconds=3_600)), material_threshold=ONE_BP)
    assert should_keep_snapshot(kept, snapshot(2, locked_shares=RawAmount(1)), material_threshold=ONE_BP)
    small, large = RawAmount(kept.cash + 999 * WAD), RawAmount(kept.cash - 1_000 * WAD)
    assert not should_keep_snapshot(kept, snapshot(2, cash=small), material_threshold=ONE_BP)
    assert should_keep_snapshot(kept, snapshot(2, cash=large), material_threshold=ONE_BP)


def test_cache_with_present_value_is_not_stale() -> None:
    fresh = snapshot()
    assert not fresh.has_stale_cache
    assert replace(fresh, contract=replace(fresh.contract, asset_value=RawAmount(1))).has_stale_cache


def test_tier_that_contract_values_differently_is_noticed() -> None:
    taken = snapshot(assets=(position(1),))
    assert not taken.tier_values_match
    assert replace(taken, contract=replace(taken.contract, layer2=RawAmount(1_050_000 * WAD))).tier_values_match
