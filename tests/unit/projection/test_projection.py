"""Tests of the projection of events: batches make no difference, sums are complete, and impossible events change nothing."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.event_histories import HOLDERS, VAULT, EventHistory, HistoryEvent, histories
from tests.support.factories.strategies import address, stamp

from paimon.domain.events import (
    FundEvent,
    Paused,
    RedemptionApproved,
    RedemptionCancelled,
    RedemptionRejected,
    RedemptionRequested,
    RedemptionSettled,
    SharesUnlocked,
    Transfer,
)
from paimon.domain.events.errors import InapplicableEvent
from paimon.domain.kernel.chain import ZERO_ADDRESS, ContractName
from paimon.domain.kernel.units import RawAmount
from paimon.domain.projection import ContractFlag, Projection, required_rows
from paimon.domain.redemption.request import RedemptionStatus

pytestmark = pytest.mark.unit


def fold(events: list[HistoryEvent], projection: Projection) -> None:
    for item in events:
        projection.apply(item.event, contract=item.contract, at=item.at)


def fold_with_required_rows_only(events: list[HistoryEvent], projection: Projection) -> None:
    """Fold as the listener does: a batch loads only the rows that `required_rows` names, and writes back what changed."""
    needed = required_rows(item.event for item in events)
    loaded = Projection(
        redemptions={key: value for key, value in projection.redemptions.items() if key in needed.requests},
        share_balances={key: value for key, value in projection.share_balances.items() if key in needed.holders},
    )
    fold(events, loaded)
    projection.redemptions |= loaded.redemptions
    projection.share_balances |= loaded.share_balances
    projection.roles |= loaded.roles
    projection.flags |= loaded.flags
    projection.updated_blocks |= loaded.updated_blocks
    projection.changed_holders |= loaded.changed_holders


@given(histories(), st.data())
def test_projection_does_not_depend_on_batches(history: EventHistory, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(history.events)), max_size=6)))
    at_once, in_batches = Projection(), Projection()
    fold(history.events, at_once)
    for start, end in zip([0, *cuts], [*cuts, len(history.events)], strict=True):
        fold_with_required_rows_only(history.events[start:end], in_batches)
    assert in_batches == at_once


@given(histories())
def test_sum_of_shares_is_minted_less_burned(history: EventHistory) -> None:
    projection = Projection()
    fold(history.events, projection)
    assert sum(balance.shares for balance in projection.share_balances.values()) == history.minted - history.burned
    for holder, shares in history.balances.items():
        assert projection.share_balances[holder].shares == shares


@given(histories())
def test_vault_holds_exactly_shares_locked_by_open_requests(history: EventHistory) -> None:
    projection = Projection()
    fold(history.events, projection)
    locked = sum(redemption.shares for redemption in projection.redemptions.values() if redemption.is_open)
    assert locked == sum(balance.locked_shares for balance in projection.share_balances.values())
    assert locked == sum(balance.shares for balance in projection.share_balances.values() if balance.holder == VAULT)
    assert set(history.open) == {redemption.request_id for redemption in projection.redemptions.values() if redemption.is_open}


def impossible_after(history: EventHistory) -> list[FundEvent]:
    """Build events that no contract could emit at the end of this history."""
    unknown, amount = history.requests + 1, RawAmount(1)
    everything = RawAmount(history.minted + 1)
    events: list[FundEvent] = [
        RedemptionApproved(unknown, address(9), 1),
        RedemptionSettled(unknown, address(1), address(1), amount, amount, amount, 0),
        Transfer(HOLDERS[0], HOLDERS[1], everything),
        Transfer(HOLDERS[0], ZERO_ADDRESS, everything),
        SharesUnlocked(HOLDERS[2], everything),
        RedemptionRequested(unknown, address(1), address(1), amount, amount, amount, 3, False, 1, 0),
        RedemptionRequested(unknown, address(1), address(1), amount, amount, amount, 0, False, 2**255, 0),
    ]
    for request_id in range(1, unknown):
        events.append(RedemptionRequested(request_id, address(1), address(1), amount, amount, amount, 0, False, 1, 0))
        if request_id not in history.open:
            events += [RedemptionRejected(request_id, address(9), "again"), RedemptionCancelled(request_id, address(1))]
    return events


@given(histories(steps_max=12), st.data())
def test_inapplicable_event_leaves_projection_unchanged(history: EventHistory, data: st.DataObject) -> None:
    projection = Projection()
    fold(history.events, projection)
    before = deepcopy(projection)
    event = data.draw(st.sampled_from(impossible_after(history)))
    with pytest.raises(InapplicableEvent):
        projection.apply(event, contract=ContractName.VAULT, at=stamp(10_000))
    assert projection == before


def test_transfer_to_oneself_leaves_balance_unchanged() -> None:
    projection = Projection()
    fold([HistoryEvent(Transfer(ZERO_ADDRESS, HOLDERS[0], RawAmount(5)), ContractName.VAULT, stamp(1))], projection)
    fold([HistoryEvent(Transfer(HOLDERS[0], HOLDERS[0], RawAmount(5)), ContractName.VAULT, stamp(2))], projection)
    assert projection.share_balances[HOLDERS[0]].shares == 5
    with pytest.raises(InapplicableEvent):
        fold([HistoryEvent(Transfer(HOLDERS[0], HOLDERS[0], RawAmount(6)), ContractName.VAULT, stamp(3))], projection)


def test_request_and_flag_are_dated_by_their_own_event() -> None:
    projection = Projection()
    request = RedemptionRequested(1, address(1), address(1), RawAmount(1), RawAmount(1), RawAmount(0), 0, False, 1, 0)
    fold([HistoryEvent(request, ContractName.REDEMPTION_MANAGER, stamp(4))], projection)
    fold([HistoryEvent(Paused(address(1)), ContractName.VAULT, stamp(6))], projection)
    assert projection.updated_blocks == {1: 4}
    assert projection.flags[ContractName.VAULT, ContractFlag.PAUSED].since_block == 6
    assert projection.redemptions[1].status is RedemptionStatus.PENDING
