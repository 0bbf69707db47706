"""The rules of an approval ticket, for every order of votes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.approval.ticket import (
    OPEN_TICKETS,
    AlreadyVoted,
    RedemptionTicket,
    SlaStage,
    TicketClosed,
    TicketStatus,
    TicketType,
    Verdict,
    Vote,
    VoterNotAllowed,
    adopt_chain_outcome,
    decide,
)
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import RedemptionStatus

pytestmark = pytest.mark.unit

OPENED_AT = datetime(2026, 1, 31, tzinfo=UTC)
OWNER, RECEIVER = Address(bytes(19) + b"\x01"), Address(bytes(19) + b"\x02")
voters = st.integers(1, 8).map(lambda number: Address(bytes(19) + bytes([number])))
votes = st.lists(st.tuples(voters, st.sampled_from(Verdict)), max_size=12)


def ticket(required: int = 1) -> RedemptionTicket:
    return RedemptionTicket(
        id="TKT-R000001",
        type=TicketType.STANDARD_REDEMPTION,
        request_id=1,
        owner=OWNER,
        receiver=RECEIVER,
        gross_amount=RawAmount(1),
        policy_version=1,
        rules=("standard_redemption",),
        required_approvals=required,
        opened_at=OPENED_AT,
        warn_at=OPENED_AT + timedelta(hours=1),
        escalate_at=OPENED_AT + timedelta(hours=2),
        deadline_at=OPENED_AT + timedelta(hours=3),
    )


@given(st.integers(1, 4), votes)
def test_ticket_is_decided_by_enough_distinct_approvers_or_one_rejection(
    required: int, cast: list[tuple[Address, Verdict]]
) -> None:
    current = ticket(required)
    for voter, verdict in cast:
        before = current
        try:
            current = decide(current, Vote(voter, verdict, "", OPENED_AT))
        except (TicketClosed, AlreadyVoted, VoterNotAllowed):
            assert current == before
    voters_counted = [vote.voter for vote in current.votes]
    approvals = sum(vote.verdict is Verdict.APPROVE for vote in current.votes)
    assert len(set(voters_counted)) == len(voters_counted)
    assert not {OWNER, RECEIVER} & set(voters_counted)
    assert (current.status is TicketStatus.APPROVED) == (approvals == required)
    assert (current.status is TicketStatus.REJECTED) == any(vote.verdict is Verdict.REJECT for vote in current.votes)
    assert (current.decided_at is None) == (current.status in OPEN_TICKETS)


@given(st.sampled_from(RedemptionStatus), st.sampled_from([None, *Verdict]))
def test_chain_outcome_closes_a_ticket_and_overrides_its_votes(status: RedemptionStatus, verdict: Verdict | None) -> None:
    voted = ticket() if verdict is None else decide(ticket(), Vote(Address(bytes(20)), verdict, "", OPENED_AT))
    closed = adopt_chain_outcome(voted, status, now=OPENED_AT)
    if status is RedemptionStatus.PENDING_APPROVAL:
        assert closed == voted
        return
    assert closed.closed_at is not None
    assert adopt_chain_outcome(closed, status, now=OPENED_AT + timedelta(days=1)) == closed
    if status is RedemptionStatus.CANCELLED:
        assert not closed.decided_externally
    else:
        assert closed.decided_externally == (closed.status is not voted.status)


def test_ticket_stays_open_when_it_is_late() -> None:
    assert [ticket().sla_stage(OPENED_AT + timedelta(hours=hours)) for hours in (0, 1, 2, 3, 99)] == [
        SlaStage.ON_TIME,
        SlaStage.WARN,
        SlaStage.ESCALATE,
        SlaStage.OVERDUE,
        SlaStage.OVERDUE,
    ]
    assert ticket().is_open
