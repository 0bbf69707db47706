"""Approval tickets: who may vote, how many votes a ticket needs, and when it is late.

Source: docs/concepts/fund.md, "Approvals".

    PENDING ──► PARTIALLY_APPROVED ──► APPROVED      the votes are those that the policy asks for
       └───────────────┴──► REJECTED                  any rejection ends the voting
                       ├──► CANCELLED                 by the owner of a redemption on chain, by the requester of a plan here
                       └──► EXPIRED · VOID            plans only, see plan_ticket.py

A ticket is about a redemption request or about a plan. Votes decide it. Only the chain *closes* it (`closed_at`), when it shows
the outcome. The chain's outcome wins: a request that was decided by a direct contract call is adopted as `decided_externally`.
A deadline never rejects a redemption: an overdue ticket stays open, is logged, and fires an alert.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.domain.kernel.units import RawAmount
from paimon.domain.redemption.request import RedemptionStatus
from paimon.errors import Conflict, Forbidden


class TicketType(StrEnum):
    EMERGENCY_REDEMPTION = "EMERGENCY_REDEMPTION"
    STANDARD_REDEMPTION = "STANDARD_REDEMPTION"
    REBALANCE_SMALL = "REBALANCE_SMALL"
    REBALANCE_LARGE = "REBALANCE_LARGE"
    ASSET_ADD = "ASSET_ADD"
    ASSET_REMOVE = "ASSET_REMOVE"
    FEE_WITHDRAW = "FEE_WITHDRAW"
    EMERGENCY_MODE = "EMERGENCY_MODE"
    MANUAL_OPERATION = "MANUAL_OPERATION"


class TicketStatus(StrEnum):
    PENDING = "PENDING"
    PARTIALLY_APPROVED = "PARTIALLY_APPROVED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    VOID = "VOID"


class Verdict(StrEnum):
    """What a person says of a ticket."""

    APPROVE = "APPROVE"
    REJECT = "REJECT"
    CANCEL = "CANCEL"  # by the one who asked for the plan


class SlaStage(StrEnum):
    """How late an open ticket is. Each stage is announced once."""

    ON_TIME = "ON_TIME"
    WARN = "WARN"
    ESCALATE = "ESCALATE"
    OVERDUE = "OVERDUE"


OPEN_TICKETS: Final = frozenset({TicketStatus.PENDING, TicketStatus.PARTIALLY_APPROVED})


class TicketClosed(Conflict):
    """The ticket takes no more votes."""


class AlreadyVoted(Conflict):
    """One approver votes once on a ticket."""


class VoterNotAllowed(Forbidden):
    """This wallet may not vote on this ticket."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One approver's accepted vote, with what its signature covers beside the ticket's own values."""

    voter: Address
    verdict: Verdict
    reason: str
    decided_at: datetime
    terms: SignatureTerms | None = None
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A decision to take, with what the policy asks for it.

    `rules` are the policy's rules that asked for it. `invalid_votes` are recorded votes that do not verify: they do not count.
    """

    id: str
    type: TicketType
    policy_version: int
    rules: tuple[str, ...]
    required_approvals: int
    opened_at: datetime
    warn_at: datetime
    escalate_at: datetime
    deadline_at: datetime
    status: TicketStatus = TicketStatus.PENDING
    votes: tuple[Vote, ...] = ()
    invalid_votes: tuple[Vote, ...] = ()
    decided_at: datetime | None = None
    closed_at: datetime | None = None
    decided_externally: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the ticket still takes votes."""
        return self.status in OPEN_TICKETS

    @property
    def approvals(self) -> int:
        """How many votes approve."""
        return sum(vote.verdict is Verdict.APPROVE for vote in self.votes)

    def sla_stage(self, now: datetime) -> SlaStage:
        """Return how late the ticket is. What votes have approved counts until the chain closes it."""
        if self.closed_at is not None or now < self.warn_at:
            return SlaStage.ON_TIME
        if now < self.escalate_at:
            return SlaStage.WARN
        return SlaStage.ESCALATE if now < self.deadline_at else SlaStage.OVERDUE


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionTicket(Ticket):
    """A decision about one redemption request, with a snapshot of the request."""

    request_id: int
    owner: Address
    receiver: Address
    gross_amount: RawAmount


def decide(ticket: RedemptionTicket, vote: Vote) -> RedemptionTicket:
    """Record one vote on a redemption. A single rejection rejects the ticket; the required number of approvals approves it.

    Raises:
        TicketClosed: the ticket is no longer open.
        AlreadyVoted: the approver has voted on it before.
        VoterNotAllowed: the voter is the request's owner or receiver.
    """
    if not ticket.is_open:
        raise TicketClosed(f"ticket {ticket.id} is {ticket.status}; it takes no more votes")
    if any(earlier.voter == vote.voter for earlier in ticket.votes):
        raise AlreadyVoted(f"this wallet has already voted on ticket {ticket.id}; an approver votes once")
    if any(invalid.voter == vote.voter for invalid in ticket.invalid_votes):
        raise AlreadyVoted(
            f"a vote that does not verify is recorded in this wallet's name on ticket {ticket.id}, see its risk event: another"
            " approver may vote, and the request may be decided on chain"
        )
    if vote.voter in (ticket.owner, ticket.receiver):
        raise VoterNotAllowed(f"the owner or receiver of request {ticket.request_id} never votes on it")
    return _counted(ticket, (*ticket.votes, vote))


def without_votes(ticket: RedemptionTicket, invalid: Collection[Vote]) -> RedemptionTicket:
    """Take votes that do not verify out of a ticket, and count the others again. What the chain has closed stays as it is."""
    if not invalid:
        return ticket
    valid = tuple(vote for vote in ticket.votes if vote not in invalid)
    marked = replace(ticket, votes=valid, invalid_votes=(*ticket.invalid_votes, *invalid))
    return marked if ticket.closed_at is not None else _counted(marked, valid)


def _counted(ticket: RedemptionTicket, votes: tuple[Vote, ...]) -> RedemptionTicket:
    approvals = sum(vote.verdict is Verdict.APPROVE for vote in votes)
    if any(vote.verdict is Verdict.REJECT for vote in votes):
        status = TicketStatus.REJECTED
    elif approvals >= ticket.required_approvals:
        status = TicketStatus.APPROVED
    else:
        status = TicketStatus.PARTIALLY_APPROVED if votes else TicketStatus.PENDING
    decided_at = None if status in OPEN_TICKETS else max(vote.decided_at for vote in votes)
    return replace(ticket, votes=votes, status=status, decided_at=decided_at)


def adopt_chain_outcome(ticket: RedemptionTicket, status: RedemptionStatus, *, now: datetime) -> RedemptionTicket:
    """Close the ticket with its request's outcome on chain. A request that still awaits approval changes nothing.

    When the outcome differs from the votes here, the contract was called directly, and the chain wins.
    """
    if ticket.closed_at is not None or status is RedemptionStatus.PENDING_APPROVAL:
        return ticket
    outcome = {
        RedemptionStatus.REJECTED: TicketStatus.REJECTED,
        RedemptionStatus.CANCELLED: TicketStatus.CANCELLED,
    }.get(status, TicketStatus.APPROVED)
    return replace(
        ticket,
        status=outcome,
        decided_at=ticket.decided_at or now,
        closed_at=now,
        decided_externally=outcome is not ticket.status and outcome is not TicketStatus.CANCELLED,
    )
