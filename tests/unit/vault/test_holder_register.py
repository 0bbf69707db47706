"""Tests of the holder register: fractions never exceed the whole, and redeemable shares are really redeemable."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import WAD, NavPerShare, RawAmount, Rounding, divide
from paimon.domain.vault.holder_register import RegisteredHolder

pytestmark = pytest.mark.unit

SHARES = st.integers(0, 10**30).map(RawAmount)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def holder(shares: RawAmount, locked: RawAmount) -> RegisteredHolder:
    return RegisteredHolder(Address(bytes(20)), shares, locked, RawAmount(0), NOW)


@given(st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=20))
def test_fractions_of_holders_add_up_except_for_rounding(total_shares: list[tuple[RawAmount, RawAmount]]) -> None:
    everyone = [holder(shares, locked) for shares, locked in total_shares]
    supply = RawAmount(sum(holder.total_shares for holder in everyone))
    if supply == 0:
        return
    parts = sum(holder.fraction_of(supply) for holder in everyone)
    assert WAD - len(everyone) < parts <= WAD


@given(st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=20), st.integers(0, 10**27))
def test_values_of_holders_add_up_to_net_assets_except_for_rounding(
    total_shares: list[tuple[RawAmount, RawAmount]], net_assets: int
) -> None:
    everyone = [holder(shares, locked) for shares, locked in total_shares]
    effective = sum(holder.shares for holder in everyone)
    if effective == 0:
        return
    nav = NavPerShare(divide(net_assets * WAD, effective, rounding=Rounding.DOWN))
    value_at = sum(holder.value_at(nav) for holder in everyone)
    assert net_assets - effective // WAD - 1 - len(everyone) <= value_at <= net_assets


@given(SHARES, SHARES)
def test_locked_shares_reduce_redeemable_shares(shares: RawAmount, locked: RawAmount) -> None:
    """Deployed behaviour 9."""
    redeemable_shares = holder(shares, locked).redeemable_shares
    assert 0 <= redeemable_shares <= shares
    assert redeemable_shares + locked >= shares
    assert (redeemable_shares == 0) == (shares <= locked)
