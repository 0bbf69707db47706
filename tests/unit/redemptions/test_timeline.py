"""A redemption's story is told in the order the house came to know it, whatever the chain's clock says."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.application.redemptions.timeline import ChainEvent, timeline
from paimon.domain.approval.ticket import Ticket, TicketStatus, TicketType, Verdict, Vote
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentKind, IntentStatus
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow

pytestmark = pytest.mark.unit

START = datetime(2026, 1, 31, tzinfo=UTC)
seconds = st.integers(0, 10_000).map(lambda value: START + timedelta(seconds=value))
events = st.builds(
    ChainEvent,
    event=st.sampled_from(["RedemptionRequested", "RedemptionApproved", "SomethingLater"]),
    args=st.just({}),
    tx_hash=st.just(bytes(32)),
    block_number=st.integers(0, 10),
    block_at=seconds,
    recorded_at=seconds,
)


def after(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def ticket() -> Ticket:
    vote = Vote(Address(bytes(20)), Verdict.REJECT, "why", after(2))
    return Ticket(
        id="TKT-R000001",
        type=TicketType.EMERGENCY_REDEMPTION,
        request_id=1,
        owner=Address(bytes(20)),
        receiver=Address(bytes(20)),
        gross_amount=RawAmount(1),
        policy_version=1,
        required_approvals=1,
        opened_at=after(1),
        warn_at=after(10),
        escalate_at=after(20),
        deadline_at=after(30),
        status=TicketStatus.REJECTED,
        votes=(vote,),
        decided_at=after(2),
        closed_at=after(6),
    )


def intent() -> IntentRow:
    attempt = AttemptRow(hash=bytes(32), nonce=4, status=AttemptStatus.FINAL, created_at=after(3), block_number=9)
    return IntentRow(
        id=UUID(int=1),
        kind=IntentKind.REJECT_REDEMPTION,
        status=IntentStatus.FINAL,
        reason=None,
        created_at=after(2),
        closed_at=after(5),
        attempts=[attempt],
    )


@given(st.lists(events, max_size=8))
def test_nothing_is_lost_and_the_order_is_that_of_knowing(found: list[ChainEvent]) -> None:
    told = timeline(found, ticket(), [intent()])
    assert len(told) == len(found) + 6
    assert [entry.known_at for entry in told] == sorted(entry.known_at for entry in told)


def test_a_vote_stands_before_the_call_it_queued_in_the_same_moment() -> None:
    assert [entry.kind for entry in timeline([], ticket(), [intent()])] == [
        "ticket.opened",
        "vote.reject",
        "intent.queued",
        "attempt.signed",
        "intent.final",
        "ticket.closed",
    ]


def test_events_of_one_block_stay_in_the_blocks_order() -> None:
    same = [ChainEvent(name, {}, bytes(32), 1, START, START) for name in ("Second", "First")]
    assert [entry.kind for entry in timeline(same, None, [])] == ["Second", "First"]
