"""Verify the recorded votes of a ticket: a row alone is no vote.

What a role of the database may insert looks like a vote. It counts only if the voter's wallet signed the decision on exactly
this ticket, which is built here again from the ticket's own values, and if the voter is no party of the request.
"""

from typing import TypeVar

from paimon.domain.approval.plan_ticket import AnyTicket, PlanTicket, without_verdicts
from paimon.domain.approval.ticket import RedemptionTicket, Verdict, Vote, without_votes
from paimon.domain.approval.vote import VoteContent
from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.eip712 import SigningScope

TicketT = TypeVar("TicketT", RedemptionTicket, PlanTicket, AnyTicket)


def verify_votes(ticket: TicketT, scope: SigningScope) -> TicketT:
    """Return the ticket by its votes that verify; the others are among its `invalid_votes`.

    An owner's signature over a Safe transaction is no recorded vote: the Safe itself has accepted it.
    """
    recorded = [vote for vote in ticket.votes if isinstance(ticket, RedemptionTicket) or vote.terms is not None]
    invalid = [vote for vote in recorded if invalid_reason(ticket, vote, scope) is not None]
    if isinstance(ticket, PlanTicket):
        return without_verdicts(ticket, invalid)
    return without_votes(ticket, invalid)


def invalid_reason(ticket: AnyTicket, vote: Vote, scope: SigningScope) -> str | None:
    """Explain why the recorded vote counts for nothing; None when it counts."""
    # Here, because the library takes half a second to load, and a list of tickets checks no signature.
    from paimon.infrastructure.keys.signatures import MalformedSignature, recover_typed

    if vote.terms is None:
        return "it has no signature"
    if (fault := _party_fault(ticket, vote)) is not None:
        return fault
    if vote.decided_at > vote.terms.expires_at:
        return "it was accepted after its signature had expired"
    document = VoteContent(ticket, vote.verdict).document(vote.reason, vote.terms, scope)
    try:
        signer = recover_typed(document, vote.signature)
    except MalformedSignature as error:
        return str(error)
    return None if signer == vote.voter else f"{checksum(vote.voter)} did not sign it"


def _party_fault(ticket: AnyTicket, vote: Vote) -> str | None:
    if isinstance(ticket, RedemptionTicket):
        if vote.verdict is Verdict.CANCEL:
            return "a redemption is cancelled on chain"
        is_party = vote.voter in (ticket.owner, ticket.receiver)
        return f"{checksum(vote.voter)} is the request's owner or receiver" if is_party else None
    if vote.verdict is Verdict.APPROVE:
        return "a plan is approved by signatures over its Safe transaction"
    if (vote.verdict is Verdict.CANCEL) != (vote.voter == ticket.requested_by):
        return f"{checksum(vote.voter)} may not {vote.verdict.lower()} this plan"
    return None
