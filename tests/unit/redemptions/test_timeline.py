"""The timeline of a redemption: ordered by when the system recorded an entry, never by chain time."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.application.redemptions.timeline import ChainEvent, timeline
from paimon.domain.approval.ticket import RedemptionTicket, TicketStatus, TicketType, Verdict, Vote
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.attempt import Attempt
from paimon.domain.transaction.intent import IntentWithAttempts
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import AttemptStatus, BroadcastChannel, Call, IntentKind, IntentStatus

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


def ticket() -> RedemptionTicket:
    vote = Vote(Address(bytes(20)), Verdict.REJECT, "why", after(2))
    return RedemptionTicket(
        id="TKT-R000001",
        type=TicketType.EMERGENCY_REDEMPTION,
        request_id=1,
        owner=Address(bytes(20)),
        receiver=Address(bytes(20)),
        gross_amount=RawAmount(1),
        policy_version=1,
        rules=("standard_redemption",),
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


def intent() -> IntentWithAttempts:
    wallet = Address(bytes(20))
    attempt = Attempt(
        hash=Hash32(bytes(32)),
        intent_id=UUID(int=1),
        wallet=wallet,
        nonce=4,
        gas_limit=21_000,
        max_fee_wei=1,
        priority_fee_wei=1,
        raw=b"",
        channel=BroadcastChannel.PUBLIC,
        signed_at_block=8,
        created_at=after(3),
        status=AttemptStatus.FINAL,
        block_number=9,
    )
    return IntentWithAttempts(
        id=UUID(int=1),
        idempotency_key="reject-redemption:1",
        kind=IntentKind.REJECT_REDEMPTION,
        wallet=wallet,
        call=Call(wallet, b""),
        subject=IntentSubject.redemption(1),
        ticket_id="TKT-R000001",
        status=IntentStatus.FINAL,
        unfunded=False,
        reason=None,
        created_at=after(2),
        next_check_at=after(2),
        unknown_since=None,
        expires_at=None,
        aborting_as=None,
        abort_reason=None,
        closed_at=after(5),
        attempts=(attempt,),
    )


@given(st.lists(events, max_size=8))
def test_timeline_keeps_every_entry_in_the_order_it_became_known(found: list[ChainEvent]) -> None:
    entries = timeline(found, ticket(), [intent()])
    assert len(entries) == len(found) + 6
    assert [entry.known_at for entry in entries] == sorted(entry.known_at for entry in entries)


def test_timeline_shows_a_vote_before_the_call_it_queued() -> None:
    assert [entry.kind for entry in timeline([], ticket(), [intent()])] == [
        "ticket.opened",
        "vote.reject",
        "intent.queued",
        "attempt.signed",
        "intent.final",
        "ticket.closed",
    ]


def test_timeline_keeps_the_order_of_events_in_a_block() -> None:
    same = [ChainEvent(name, {}, bytes(32), 1, START, START) for name in ("Second", "First")]
    assert [entry.kind for entry in timeline(same, None, [])] == ["Second", "First"]
