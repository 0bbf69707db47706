"""The ticket of a plan: the owners' signatures over the Safe transaction are its votes.

    PENDING ⇄ PARTIALLY_APPROVED ⇄ APPROVED    by the signatures that count now; an owner or a role that is lost takes them back
       └──────────────┴──────────────┴──► REJECTED · CANCELLED · EXPIRED · VOID · APPROVED externally

    REJECTED     an administrator's signed rejection, or the Safe used the nonce for something else
    CANCELLED    by the person who asked for the plan, who never approves it
    EXPIRED      the deadline passed, and the rule says so (`atDeadline: REJECT`)
    VOID         what was approved is not what would run now: the amount has drifted, or the first call would no longer pass

What is not approved is not executed by this system. The signatures stay valid for the Safe, so the ticket stays unclosed until
the nonce is used: an execution from elsewhere closes it as `decided_externally`.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from paimon.domain.approval.policy import AtDeadline, TicketRequirement
from paimon.domain.approval.ticket import (
    OPEN_TICKETS,
    AlreadyVoted,
    RedemptionTicket,
    SlaStage,
    Ticket,
    TicketClosed,
    TicketStatus,
    Verdict,
    Vote,
    VoterNotAllowed,
)
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import RawAmount

_UNDECIDED: Final = OPEN_TICKETS | {TicketStatus.APPROVED}
"""What signatures, a deadline or a drift may still change."""
_BY_VERDICT: Final = frozenset({TicketStatus.REJECTED, TicketStatus.CANCELLED})
REFUSED_TICKETS: Final = _BY_VERDICT | {TicketStatus.EXPIRED, TicketStatus.VOID}
"""Ends without an approval: what the ticket is about is executed by this system no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTicket(Ticket):
    """A decision about one piece of a plan that a Safe carries out. `votes` has the owners' signatures as approvals."""

    plan_id: UUID
    plan: str
    calls: tuple[str, ...]
    """What would happen, a line for each call."""
    wallet: str
    safe_tx_hash: Hash32
    requested_by: Address
    amount: RawAmount
    at_deadline: AtDeadline
    passed_when_raised: bool
    """Whether the first call would have passed then."""
    void_reason: str | None = None

    @property
    def approvals(self) -> int:
        """How many present owners have signed. A recorded approval would be no signature, and counts for nothing."""
        return sum(vote.terms is None for vote in self.votes)

    @property
    def is_undecided(self) -> bool:
        """Whether signatures, the deadline or a drift may still change the status."""
        return self.closed_at is None and self.status in _UNDECIDED

    def sla_stage(self, now: datetime) -> SlaStage:
        """Return how late the ticket is. What was refused waits for no one."""
        return Ticket.sla_stage(self, now) if self.is_undecided else SlaStage.ON_TIME


AnyTicket = RedemptionTicket | PlanTicket


@dataclass(frozen=True, slots=True)
class RefusedTicket:
    """The ticket of a plan that ended without an approval; `void_reason` is set if it is void."""

    id: str
    status: TicketStatus
    void_reason: str | None

    def __str__(self) -> str:
        return f"ticket {self.id} is {self.status}" + ("" if self.void_reason is None else f": {self.void_reason}")


def plan_ticket_id(plan_id: UUID) -> str:
    """Return the id of a plan's ticket. It derives from the plan, so that a plan never has two tickets."""
    return f"TKT-P{plan_id.hex[:12].upper()}"


def votes_needed(required: TicketRequirement, threshold: int) -> int:
    """Return how many owners must sign: the policy's count is a floor, the Safe's threshold governs above it."""
    return max(required.count_min, threshold)


def give_verdict(ticket: PlanTicket, vote: Vote) -> PlanTicket:
    """Record a signed rejection, or the requester's cancellation; see `require_taken` for what is no such verdict.

    Raises:
        TicketClosed, AlreadyVoted, VoterNotAllowed.
    """
    if not ticket.is_undecided:
        raise TicketClosed(f"ticket {ticket.id} is {ticket.status}; it takes no more votes")
    is_requester = vote.voter == ticket.requested_by
    match vote.verdict:
        case Verdict.CANCEL if not is_requester:
            raise VoterNotAllowed(f"only the person who asked for the plan of ticket {ticket.id} cancels it: reject it instead")
        case Verdict.REJECT if is_requester:
            raise VoterNotAllowed(f"the person who asked for the plan of ticket {ticket.id} cancels it, and never votes on it")
        case Verdict.REJECT if any(earlier.voter == vote.voter for earlier in ticket.votes):
            raise AlreadyVoted(f"this wallet has signed the Safe transaction of ticket {ticket.id}; an approver votes once")
        case _:
            status = TicketStatus.REJECTED if vote.verdict is Verdict.REJECT else TicketStatus.CANCELLED
            return replace(ticket, votes=(*ticket.votes, vote), status=status, decided_at=vote.decided_at)


def without_verdicts(ticket: PlanTicket, invalid: Collection[Vote]) -> PlanTicket:
    """Take recorded verdicts that do not verify out of a ticket. Without a valid one, its signatures are counted again."""
    if not invalid:
        return ticket
    valid = tuple(vote for vote in ticket.votes if vote not in invalid)
    marked = replace(ticket, votes=valid, invalid_votes=(*ticket.invalid_votes, *invalid))
    is_decided = any(vote.verdict is not Verdict.APPROVE for vote in valid)
    if is_decided or ticket.closed_at is not None or ticket.status not in _BY_VERDICT:
        return marked
    status = TicketStatus.PARTIALLY_APPROVED if marked.approvals else TicketStatus.PENDING
    return replace(marked, status=status, decided_at=None)


def require_signable(ticket: PlanTicket, owner: Address, *, now: datetime) -> None:
    """Refuse a signature over the Safe transaction that could not count as a vote.

    Raises:
        TicketClosed, VoterNotAllowed.
    """
    if not ticket.is_undecided:
        raise TicketClosed(f"ticket {ticket.id} of this plan is {ticket.status}: ask for the plan anew")
    if is_past_deadline(ticket, now):
        raise TicketClosed(f"the deadline of ticket {ticket.id} has passed: ask for the plan anew")
    if owner == ticket.requested_by:
        raise VoterNotAllowed(f"the person who asked for the plan of ticket {ticket.id} never approves it")


def count_signatures(ticket: PlanTicket, signatures: int, *, is_met: bool, now: datetime) -> PlanTicket:
    """Return the ticket by the signatures of present owners. `is_met`: they are what the policy and the Safe ask for."""
    if not ticket.is_undecided:
        return ticket
    status = TicketStatus.PARTIALLY_APPROVED if signatures else TicketStatus.PENDING
    if is_met:
        status = TicketStatus.APPROVED
    if status is ticket.status:
        return ticket
    return replace(ticket, status=status, decided_at=now if status is TicketStatus.APPROVED else None)


def is_past_deadline(ticket: PlanTicket, now: datetime) -> bool:
    """Whether the deadline has ended the voting."""
    return ticket.is_open and ticket.at_deadline is AtDeadline.REJECT and now >= ticket.deadline_at


def expire(ticket: PlanTicket, *, now: datetime) -> PlanTicket:
    """End the voting at the deadline, where the rule says so."""
    return replace(ticket, status=TicketStatus.EXPIRED, decided_at=now) if is_past_deadline(ticket, now) else ticket


def void(ticket: PlanTicket, reason: str, *, now: datetime) -> PlanTicket:
    """Make the collected signatures count for nothing, because something else would run than was approved."""
    if not ticket.is_undecided:
        return ticket
    return replace(ticket, status=TicketStatus.VOID, void_reason=reason, decided_at=now)


def adopt_nonce_use(ticket: PlanTicket, *, is_executed: bool, now: datetime) -> PlanTicket:
    """Close the ticket when the Safe has used the nonce: for this transaction, or for another one."""
    if ticket.closed_at is not None:
        return ticket
    refused = TicketStatus.REJECTED if ticket.is_undecided else ticket.status
    outcome = TicketStatus.APPROVED if is_executed else refused
    return replace(
        ticket,
        status=outcome,
        decided_at=ticket.decided_at or now,
        closed_at=now,
        decided_externally=outcome is not ticket.status,
    )
