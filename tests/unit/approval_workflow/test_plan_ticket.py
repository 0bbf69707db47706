"""The ticket of a plan against a model: after any events in any order, its status is what the rules say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from paimon.domain.approval.plan_ticket import (
    PlanTicket,
    adopt_nonce_use,
    count_signatures,
    expire,
    give_verdict,
    plan_ticket_id,
    require_signable,
    void,
    without_verdicts,
)
from paimon.domain.approval.policy import AtDeadline
from paimon.domain.approval.ticket import (
    AlreadyVoted,
    SlaStage,
    TicketClosed,
    TicketStatus,
    TicketType,
    Verdict,
    Vote,
    VoterNotAllowed,
)
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.domain.kernel.units import RawAmount

OPENED = datetime(2026, 1, 5, tzinfo=UTC)
PLAN = UUID(int=7)
REQUESTER, *OTHERS = (Address(bytes([number]) * 20) for number in range(1, 6))
NEEDED = 3
REFUSALS = (TicketClosed, AlreadyVoted, VoterNotAllowed)
UNDECIDED = {TicketStatus.PENDING, TicketStatus.PARTIALLY_APPROVED, TicketStatus.APPROVED}
people = st.sampled_from([REQUESTER, *OTHERS])


class PlanTicketMachine(RuleBasedStateMachine):
    """The model: who has signed, and what ended the ticket first."""

    ticket: PlanTicket
    now: datetime
    signed: set[Address]
    ended: TicketStatus | None
    nonce_used: bool

    @initialize(at_deadline=st.sampled_from(AtDeadline))
    def request(self, at_deadline: AtDeadline) -> None:
        self.now, self.signed, self.ended, self.nonce_used = OPENED, set(), None, False
        self.ticket = PlanTicket(
            id=plan_ticket_id(PLAN),
            type=TicketType.MANUAL_OPERATION,
            policy_version=1,
            rules=("manual_operation",),
            required_approvals=NEEDED,
            opened_at=OPENED,
            warn_at=OPENED + timedelta(hours=1),
            escalate_at=OPENED + timedelta(hours=2),
            deadline_at=OPENED + timedelta(hours=3),
            plan_id=PLAN,
            plan="a plan",
            calls=("Vault.pause()",),
            wallet="cold",
            safe_tx_hash=Hash32(bytes(32)),
            requested_by=REQUESTER,
            amount=RawAmount(0),
            at_deadline=at_deadline,
            passed_when_raised=True,
        )

    def _count(self) -> None:
        """Count as a worker does."""
        given = tuple(Vote(owner, Verdict.APPROVE, "", self.now, signature=b"s") for owner in sorted(self.signed))
        ticket = replace(self.ticket, votes=(*given, *(vote for vote in self.ticket.votes if vote.terms is not None)))
        counted = count_signatures(ticket, len(self.signed), is_met=len(self.signed) >= NEEDED, now=self.now)
        self.ticket = expire(counted, now=self.now)

    @rule(owner=people)
    def sign(self, owner: Address) -> None:
        self._count()
        try:
            require_signable(self.ticket, owner, now=self.now)
        except REFUSALS:
            assert owner == REQUESTER or not self.ticket.is_undecided
            return
        self.signed.add(owner)
        self._count()

    @rule(owner=people)
    def owner_leaves(self, owner: Address) -> None:
        self.signed.discard(owner)
        self._count()

    @rule(voter=people, verdict=st.sampled_from([Verdict.REJECT, Verdict.CANCEL]))
    def verdict(self, voter: Address, verdict: Verdict) -> None:
        before = self.ticket
        terms = SignatureTerms(Hash32(bytes([len(before.votes)]) * 32), self.now)
        try:
            self.ticket = give_verdict(before, Vote(voter, verdict, "why", self.now, terms, b"s"))
        except REFUSALS:
            assert self.ticket is before
            return
        assert before.is_undecided
        assert (voter == REQUESTER) == (verdict is Verdict.CANCEL)
        assert voter not in self.signed

    @rule()
    def verdict_proves_forged(self) -> None:
        recorded = [vote for vote in self.ticket.votes if vote.terms is not None]
        before, self.ticket = self.ticket, without_verdicts(self.ticket, recorded)
        if recorded and before.status in (TicketStatus.REJECTED, TicketStatus.CANCELLED) and before.closed_at is None:
            assert self.ticket.status in UNDECIDED
            self.ended = None
            self._count()

    @rule()
    def drift(self) -> None:
        self.ticket = void(self.ticket, "it would move another amount", now=self.now)

    @rule(hours=st.integers(0, 4))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self._count()

    @rule(is_executed=st.booleans())
    def safe_uses_the_nonce(self, is_executed: bool) -> None:
        before = self.ticket
        self.ticket = adopt_nonce_use(before, is_executed=is_executed, now=self.now)
        if before.closed_at is not None:
            assert self.ticket is before
            return
        assert (self.ticket.status is TicketStatus.APPROVED) == is_executed
        assert self.ticket.decided_externally == (before.status is not self.ticket.status)
        self.nonce_used = True

    @invariant()
    def status_is_what_the_rules_say(self) -> None:
        ticket = self.ticket
        assert REQUESTER not in self.signed
        assert (ticket.closed_at is not None) == self.nonce_used
        assert (ticket.decided_at is None) == ticket.is_open
        assert (ticket.void_reason is not None) == (ticket.status is TicketStatus.VOID) or self.nonce_used
        if not self.nonce_used:
            if self.ended is None and ticket.status not in UNDECIDED:
                self.ended = ticket.status
                is_past = ticket.at_deadline is AtDeadline.REJECT and self.now >= ticket.deadline_at
                assert ticket.status is not TicketStatus.EXPIRED or is_past
            if self.ended is None:
                signed = len(self.signed)
                expected = TicketStatus.APPROVED if signed >= NEEDED else TicketStatus.PARTIALLY_APPROVED
                assert ticket.status is (expected if signed else TicketStatus.PENDING)
            else:
                assert ticket.status is self.ended, "what ended it stays"
                assert ticket.sla_stage(self.now) is SlaStage.ON_TIME, "it waits for no one"


TestPlanTicket = PlanTicketMachine.TestCase
TestPlanTicket.settings = settings(max_examples=60, stateful_step_count=15, deadline=None)
