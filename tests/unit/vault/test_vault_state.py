"""Tests of the fund's value at one block, from its fresh parts."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from paimon.domain.kernel.units import BPS_ONE, WAD, NavPerShare, RawAmount
from paimon.domain.vault.vault_state import VaultState

pytestmark = pytest.mark.unit

MONEY = st.integers(0, 10**30).map(RawAmount)
STATES = st.builds(
    VaultState,
    layer1_value=MONEY,
    layer2_value=MONEY,
    layer3_value=MONEY,
    redemption_liability=MONEY,
    withdrawable_redemption_fees=MONEY,
    total_supply=MONEY,
    locked_shares=st.just(RawAmount(0)),
    emergency_mode=st.booleans(),
    contract_total_assets=MONEY,
    contract_share_price=MONEY.map(NavPerShare),
)

EMPTY = VaultState(*(RawAmount(0),) * 7, False, RawAmount(0), NavPerShare(0))


@given(STATES)
def test_net_assets_are_gross_less_liabilities(state: VaultState) -> None:
    owed = state.redemption_liability + state.withdrawable_redemption_fees
    assert state.net_assets + min(owed, state.gross_assets) == state.gross_assets


@given(STATES, MONEY)
def test_nav_per_share_is_net_assets_over_unlocked_shares(state: VaultState, locked: RawAmount) -> None:
    assume(locked < state.total_supply)
    state = replace(state, locked_shares=locked)
    exact = Fraction(state.net_assets * WAD, state.total_supply - locked)
    assert 0 <= exact - state.nav_per_share < 1


@given(STATES)
def test_tier_ratios_add_up_except_for_rounding(state: VaultState) -> None:
    assume(state.gross_assets)
    ratios = [state.layer_ratio(value) for value in (state.layer1_value, state.layer2_value, state.layer3_value)]
    assert BPS_ONE - 2 <= sum(ratios) <= BPS_ONE


@given(STATES)
def test_contract_figures_never_enter_nav(state: VaultState) -> None:
    other = replace(state, contract_total_assets=RawAmount(1), contract_share_price=NavPerShare(1))
    assert (other.net_assets, other.nav_per_share) == (state.net_assets, state.nav_per_share)


def test_empty_fund_has_nav_of_one_and_zero_ratios() -> None:
    assert EMPTY.nav_per_share == WAD
    assert EMPTY.net_assets == 0
    assert EMPTY.layer_ratio(EMPTY.layer1_value) == 0


def test_fund_with_all_shares_locked_has_nav_of_one() -> None:
    state = replace(EMPTY, layer1_value=RawAmount(5 * WAD), total_supply=RawAmount(5), locked_shares=RawAmount(5))
    assert state.nav_per_share == WAD


def test_net_assets_are_never_below_zero() -> None:
    state = replace(EMPTY, layer1_value=RawAmount(99), redemption_liability=RawAmount(100), total_supply=RawAmount(10))
    assert state.net_assets == 0
    assert state.nav_per_share == 0
