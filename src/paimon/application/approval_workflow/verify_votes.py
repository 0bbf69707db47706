"""Verify the recorded votes of a ticket: a row alone is no vote.

What a role of the database may insert looks like a vote. It counts only if the voter's wallet signed the decision on exactly
this ticket, which is built here again from the ticket's own values, and if the voter is no party of the request.
"""

from paimon.domain.approval.ticket import Ticket, Vote, without_votes
from paimon.domain.approval.vote import VoteContent
from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.eip712 import SigningScope


def verify_votes(ticket: Ticket, scope: SigningScope) -> Ticket:
    """Return the ticket by its votes that verify; the others are among its `invalid_votes`."""
    return without_votes(ticket, [vote for vote in ticket.votes if invalid_reason(ticket, vote, scope) is not None])


def invalid_reason(ticket: Ticket, vote: Vote, scope: SigningScope) -> str | None:
    """Explain why the recorded vote counts for nothing; None when it counts."""
    # Here, because the library takes half a second to load, and a list of tickets checks no signature.
    from paimon.infrastructure.keys.signatures import MalformedSignature, recover_typed

    if vote.terms is None:
        return "it has no signature"
    if vote.voter in (ticket.owner, ticket.receiver):
        return f"{checksum(vote.voter)} is the request's owner or receiver"
    if vote.decided_at > vote.terms.expires_at:
        return "it was accepted after its signature had expired"
    document = VoteContent(ticket, vote.verdict).document(vote.reason, vote.terms, scope)
    try:
        signer = recover_typed(document, vote.signature)
    except MalformedSignature as error:
        return str(error)
    return None if signer == vote.voter else f"{checksum(vote.voter)} did not sign it"
