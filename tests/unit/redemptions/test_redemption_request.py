"""Tests of one redemption request: which event may follow which, and when the request may be settled."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.support.factories.strategies import ADDRESSES, AMOUNTS, EPOCH, UINT256, address, stamp

from paimon.domain.events import (
    RedemptionApproved,
    RedemptionCancelled,
    RedemptionEvent,
    RedemptionRejected,
    RedemptionRequested,
    RedemptionSettled,
)
from paimon.domain.events.errors import InapplicableEvent, at_chain_time
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import (
    OnChainStatus,
    Redemption,
    RedemptionChannel,
    RedemptionStatus,
    apply_redemption_event,
    is_due,
    redemption_from_event,
)

pytestmark = pytest.mark.unit

SECONDS = st.integers(0, 4_000_000_000)
REQUESTED = st.builds(
    RedemptionRequested,
    st.just(7),
    ADDRESSES,
    ADDRESSES,
    AMOUNTS,
    AMOUNTS,
    AMOUNTS,
    st.integers(0, 2),
    st.booleans(),
    SECONDS,
    UINT256,
)
APPROVED = st.builds(RedemptionApproved, st.just(7), ADDRESSES, SECONDS)
REJECTED = st.builds(RedemptionRejected, st.just(7), ADDRESSES, st.text(max_size=20))
CANCELLED = st.builds(RedemptionCancelled, st.just(7), ADDRESSES)
SETTLED = st.builds(RedemptionSettled, st.just(7), ADDRESSES, ADDRESSES, AMOUNTS, AMOUNTS, AMOUNTS, st.integers(0, 2))

# Source: docs/concepts/fund.md, "Redemptions". What is not here cannot happen.
LIFE = {
    ("PENDING", RedemptionSettled): "SETTLED",
    ("PENDING", RedemptionCancelled): "CANCELLED",
    ("PENDING_APPROVAL", RedemptionApproved): "APPROVED",
    ("PENDING_APPROVAL", RedemptionRejected): "REJECTED",
    ("PENDING_APPROVAL", RedemptionCancelled): "CANCELLED",
    ("APPROVED", RedemptionSettled): "SETTLED",
    ("APPROVED", RedemptionCancelled): "CANCELLED",
}
SHOWN_ON_CHAIN = {"PENDING": 0, "PENDING_APPROVAL": 1, "APPROVED": 2, "SETTLED": 3, "CANCELLED": 4, "REJECTED": 4}


class OneRequest(RuleBasedStateMachine):
    """Apply any events in any order and compare with the transition table."""

    def __init__(self) -> None:
        super().__init__()
        self.request: Redemption | None = None
        self.state: str | None = None
        self.block = 0

    @rule(event=st.one_of(REQUESTED, APPROVED, REJECTED, CANCELLED, SETTLED))
    def the_chain_says(self, event: RedemptionEvent) -> None:
        self.block += 1
        if self.state is None and isinstance(event, RedemptionRequested):
            expected: str | None = "PENDING_APPROVAL" if event.requires_approval else "PENDING"
        else:
            expected = LIFE.get((str(self.state), type(event)))
        if expected is None:
            with pytest.raises(InapplicableEvent, match="request 7"):
                apply_redemption_event(self.request, event, at=stamp(self.block))
            return
        before = self.request
        self.request, self.state = apply_redemption_event(self.request, event, at=stamp(self.block)), expected
        self._the_event_is_believed(before, event)

    def _the_event_is_believed(self, before: Redemption | None, event: RedemptionEvent) -> None:
        assert self.request is not None
        match event:
            case RedemptionRequested():
                event_values = (
                    event.owner,
                    event.receiver,
                    event.shares,
                    event.locked_amount,
                    event.estimated_fee,
                    event.window_id,
                )
                request = self.request
                kept = (request.owner, request.receiver, request.shares, request.gross_amount)
                assert (*kept, request.estimated_fee, request.window_id) == event_values
                assert request.requested_at == stamp(self.block).timestamp
            case RedemptionApproved():
                assert self.request.settlement_at == at_chain_time(event.settlement_time)
            case RedemptionRejected():
                assert self.request.rejection_reason == event.reason
            case RedemptionSettled():
                assert (self.request.settled_fee, self.request.settled_net_amount) == (event.fee, event.net_amount)
        if before is not None:
            may_change = {"status", "settlement_at", "settled_fee", "settled_net_amount", "rejection_reason", "closed_at"}
            for column in fields(Redemption):
                assert column.name in may_change or getattr(before, column.name) == getattr(self.request, column.name)

    @invariant()
    def it_is_where_the_table_says(self) -> None:
        if self.request is None:
            return
        assert self.request.status == self.state
        assert self.request.on_chain_status is OnChainStatus(SHOWN_ON_CHAIN[self.request.status])
        assert self.request.is_open == (self.request.closed_at is None)
        assert (self.request.status is RedemptionStatus.SETTLED) == (self.request.settled_net_amount is not None)
        assert (self.request.status is RedemptionStatus.REJECTED) == (self.request.rejection_reason is not None)

    @invariant()
    def what_is_closed_is_never_due(self) -> None:
        if self.request is not None and not self.request.is_open:
            late = EPOCH + timedelta(days=300_000)
            assert not is_due(self.request, chain_time=late, window_date=EPOCH)


TestOneRequest = OneRequest.TestCase
TestOneRequest.settings = settings(max_examples=60, stateful_step_count=8)  # a request has at most four events


def a_request(
    status: RedemptionStatus, *, channel: RedemptionChannel = RedemptionChannel.STANDARD, settles_in: int | None = 100
) -> Redemption:
    event = RedemptionRequested(
        7,
        address(1),
        address(2),
        RawAmount(5),
        RawAmount(5),
        RawAmount(0),
        list(RedemptionChannel).index(channel),
        False,
        0,
        20264,
    )
    settlement_at = None if settles_in is None else EPOCH + timedelta(seconds=settles_in)
    return replace(redemption_from_event(event, at=stamp(0)), status=status, settlement_at=settlement_at)


PENDING, APPROVED_STATUS = RedemptionStatus.PENDING, RedemptionStatus.APPROVED


@pytest.mark.parametrize(
    ("request_", "chain_seconds", "window_seconds", "due"),
    [
        (a_request(PENDING), 99, None, False),
        (a_request(PENDING), 100, None, True),
        (a_request(APPROVED_STATUS), 100, None, True),
        (a_request(APPROVED_STATUS, settles_in=None), 10**9, None, False),
        (a_request(RedemptionStatus.PENDING_APPROVAL), 10**9, None, False),
        (a_request(RedemptionStatus.SETTLED), 10**9, None, False),
        (a_request(RedemptionStatus.CANCELLED), 10**9, None, False),
        (a_request(RedemptionStatus.REJECTED), 10**9, None, False),
        # A scheduled request goes by the scheduler's date alone, not by the estimate in its event.
        (a_request(PENDING, channel=RedemptionChannel.SCHEDULED), 10**9, None, False),
        (a_request(PENDING, channel=RedemptionChannel.SCHEDULED), 100, 101, False),
        (a_request(PENDING, channel=RedemptionChannel.SCHEDULED), 50, 50, True),
        # and no other one does.
        (a_request(PENDING), 99, 1, False),
        (a_request(PENDING, channel=RedemptionChannel.EMERGENCY), 100, 10**9, True),
    ],
)
def test_is_due_follows_status_and_chain_time(
    request_: Redemption, chain_seconds: int, window_seconds: int | None, due: bool
) -> None:
    window_date = None if window_seconds is None else EPOCH + timedelta(seconds=window_seconds)
    assert is_due(request_, chain_time=EPOCH + timedelta(seconds=chain_seconds), window_date=window_date) is due


@given(st.integers(3, 255))
def test_unknown_channel_is_rejected(number: int) -> None:
    with pytest.raises(InapplicableEvent, match=f"channel {number}"):
        RedemptionChannel.from_chain(number)


def test_channels_are_numbered_as_on_chain() -> None:
    assert [RedemptionChannel.from_chain(number) for number in range(3)] == [
        RedemptionChannel.STANDARD,
        RedemptionChannel.EMERGENCY,
        RedemptionChannel.SCHEDULED,
    ]


@given(UINT256)
def test_any_number_is_a_time_or_unset_or_rejected(seconds: int) -> None:
    try:
        moment = at_chain_time(seconds)
    except InapplicableEvent:
        assert seconds > 253_402_300_799  # the last second of the year 9999
    else:
        assert moment is None if seconds == 0 else moment is not None and moment.timestamp() == seconds
