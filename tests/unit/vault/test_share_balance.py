"""Tests that each event changes the right balances, and that no balance falls below zero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.strategies import ADDRESSES, AMOUNTS, address

from paimon.domain.events import EmergencyModeChanged, SharesBurned, SharesLocked, SharesUnlocked, Transfer
from paimon.domain.events.errors import InapplicableEvent
from paimon.domain.kernel.chain import ZERO_ADDRESS, Address, checksum
from paimon.domain.kernel.units import RawAmount
from paimon.domain.vault.share_balance import ShareBalance, ShareChange, share_changes

pytestmark = pytest.mark.unit

PARTIES = st.one_of(st.just(ZERO_ADDRESS), ADDRESSES)


@given(PARTIES, PARTIES, AMOUNTS)
def test_transfer_changes_supply_only_by_mint_and_burn(sender: Address, receiver: Address, value: RawAmount) -> None:
    moved = sum(step.shares for step in share_changes(Transfer(sender, receiver, value)))
    minted = value if sender == ZERO_ADDRESS else 0
    burned = value if receiver == ZERO_ADDRESS else 0
    assert moved == minted - burned


@given(PARTIES, PARTIES, AMOUNTS)
def test_zero_address_never_holds_shares(sender: Address, receiver: Address, value: RawAmount) -> None:
    assert all(step.holder != ZERO_ADDRESS for step in share_changes(Transfer(sender, receiver, value)))


@given(ADDRESSES, AMOUNTS)
def test_locked_shares_leave_by_unlock_or_burn(owner: Address, shares: RawAmount) -> None:
    locked = ShareBalance(owner)
    for step in share_changes(SharesLocked(owner, shares)):
        locked = locked.applying(step)
    assert locked == ShareBalance(owner, RawAmount(0), shares)
    for ending in (SharesUnlocked(owner, shares), SharesBurned(owner, shares)):
        (step,) = share_changes(ending)
        assert locked.applying(step) == ShareBalance(owner)


def test_event_without_shares_changes_no_balance() -> None:
    assert list(share_changes(EmergencyModeChanged(True))) == []


@given(AMOUNTS, AMOUNTS)
def test_missing_shares_cannot_leave(held: RawAmount, leaving: RawAmount) -> None:
    balance = ShareBalance(address(1), shares=held, locked_shares=held)
    if leaving <= held:
        assert balance.applying(ShareChange(address(1), shares=-leaving)).shares == held - leaving
        return
    with pytest.raises(InapplicableEvent, match=f"{leaving} shares leave {checksum(address(1))}.* recorded with {held}"):
        balance.applying(ShareChange(address(1), shares=-leaving))
    with pytest.raises(InapplicableEvent, match=f"{leaving} locked shares leave"):
        balance.applying(ShareChange(address(1), locked_shares=-leaving))
