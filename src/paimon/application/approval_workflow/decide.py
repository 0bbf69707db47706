"""Decide a ticket: accept one signed vote, and queue the on-chain call it leads to.

The votes that approve a plan are signatures over its Safe transaction (transactions/multisig/sign.py); its rejection and its
cancellation are votes here, and lead to no call: what is not approved is not executed.

The checks run in this order, each with its own exception:

1. the ticket exists, takes this kind of vote, and its recorded votes verify
2. the signature: its form, its expiry, its nonce, and its signer over exactly this ticket (common/signed_action.py)
3. the voter's role, in this system and on chain; a stand-in has the person's role here
4. the ticket takes this vote

Vote, ticket and intent commit together: a decided ticket without its call, or a call without its votes, cannot exist.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from paimon.application.approval_tickets.plan_tickets import announce
from paimon.application.approval_tickets.stand_ins import find_pairs, with_lent_rights
from paimon.application.approval_tickets.store import (
    TicketNotFound,
    get_ticket,
    insert_record,
    lock_ticket,
    save_outcome,
)
from paimon.application.approval_workflow.queue_call import queue_call
from paimon.application.approval_workflow.verify_votes import verify_votes
from paimon.application.common.signed_action import (
    ProposedAction,
    SignedAction,
    contract_wallets_refused,
    verify_signed_action,
)
from paimon.application.common.signing_rules import SigningRules
from paimon.application.common.store import is_nonce_used, use_nonce
from paimon.application.identity.permissions import require_permission
from paimon.application.identity.store import list_chain_roles
from paimon.domain.approval.plan_ticket import AnyTicket, PlanTicket, give_verdict
from paimon.domain.approval.ticket import (
    AlreadyVoted,
    TicketClosed,
    TicketStatus,
    Verdict,
    Vote,
    VoterNotAllowed,
    decide,
)
from paimon.domain.approval.vote import VoteContent, require_taken
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.user.roles import Permission, User
from paimon.errors import Conflict
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database, ReadSession, WriteSession

log = structlog.get_logger(__name__)


class VoteNotVerified(Conflict):
    """A recorded vote does not verify, and is not taken out of the ticket yet."""


_DECIDED: Final = frozenset({TicketStatus.APPROVED, TicketStatus.REJECTED})


@dataclass(frozen=True, slots=True)
class DecideTicket:
    """A signed-in user's verdict on a ticket, with the signature over it."""

    ticket_id: str
    user: User
    verdict: Verdict
    reason: str
    signed: SignedAction


async def decide_ticket(
    command: DecideTicket, *, database: Database, contracts: FundContracts, rules: SigningRules, approver: Address
) -> AnyTicket:
    """Return the ticket with this vote. When the vote decides a redemption, its call is queued in the same transaction.

    Raises:
        TicketNotFound, VerdictNotTaken, VoteNotVerified, MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch,
        KeySignatureRequired,
        NotPermitted, VoterNotAllowed, TicketClosed, AlreadyVoted.
    """
    async with contract_wallets_refused(command.user.address, contracts.rpc), database.write() as session:
        # Two votes at once: the second waits here until the first has committed, and then sees it.
        ticket = await lock_ticket(session, command.ticket_id)
        if ticket is None:
            raise TicketNotFound(f"there is no ticket {command.ticket_id}")
        require_taken(ticket, command.verdict)
        _require_verified(ticket, rules.scope)
        now = await database_now(session)
        content, terms = VoteContent(ticket, command.verdict), command.signed.terms
        evidence = verify_signed_action(
            command.signed,
            content.document(command.reason, terms, rules.scope),
            signer=command.user.address,
            now=now,
            rules=rules,
            nonce_used=await is_nonce_used(session, terms.nonce),
        )
        held = await list_chain_roles(session, command.user.address)  # under the ticket's lock: the role may have just ended
        user = await with_lent_rights(session, command.user, rules.scope)
        require_permission(user, _permission(ticket, command.verdict), held)
        await _require_one_vote(session, ticket, command.user, command.verdict, rules.scope, now)

        vote = Vote(command.user.address, command.verdict, command.reason, now, terms, evidence.signature)
        decided = cast_vote(ticket, vote)
        await use_nonce(session, evidence, action=content.action, resource=content.resource)
        await insert_record(session, ticket.id, vote, evidence)
        await save_outcome(session, decided)
        if isinstance(decided, PlanTicket):
            await announce(session, decided)
        elif decided.status in _DECIDED:
            await queue_call(session, decided, contracts=contracts, approver=approver)
    log.info("ticket.voted", ticket_id=decided.id, verdict=vote.verdict, voter=checksum(vote.voter), status=decided.status)
    return decided


def cast_vote(ticket: AnyTicket, vote: Vote) -> AnyTicket:
    """Raises TicketClosed, AlreadyVoted, VoterNotAllowed."""
    return give_verdict(ticket, vote) if isinstance(ticket, PlanTicket) else decide(ticket, vote)


async def _require_one_vote(
    session: ReadSession | WriteSession, ticket: AnyTicket, user: User, verdict: Verdict, scope: SigningScope, now: datetime
) -> None:
    """Refuse the user, without what a person lends, if they share a place. Raises AlreadyVoted, VoterNotAllowed."""
    pairs = await find_pairs(session, scope, now, ticket=ticket)
    has_own_right = user.may(_permission(ticket, verdict))
    pairs.require_one_vote(ticket, user.address, verdict, has_own_right=has_own_right)


def _permission(ticket: AnyTicket, verdict: Verdict) -> Permission:
    if not isinstance(ticket, PlanTicket):
        return Permission.DECIDE_APPROVAL
    return Permission.EXECUTE_PLAN if verdict is Verdict.CANCEL else Permission.SIGN_PROPOSALS


def _require_verified(ticket: AnyTicket, scope: SigningScope) -> None:
    """Count no vote beside one that does not verify; a worker takes it out of the ticket within a minute."""
    if len(verify_votes(ticket, scope).votes) < len(ticket.votes):
        log.critical("ticket.has_invalid_vote", ticket_id=ticket.id)
        raise VoteNotVerified(
            f"ticket {ticket.id} has a recorded vote that does not verify, which is taken out: try in a minute"
        )


async def propose_vote(
    session: ReadSession | WriteSession, ticket_id: str, verdict: Verdict, user: User, scope: SigningScope
) -> ProposedAction:
    """Return what this user signs to vote on the ticket as it is now.

    Raises:
        TicketNotFound, VerdictNotTaken.
    """
    ticket = await get_ticket(session, ticket_id)
    require_taken(ticket, verdict)
    rejection = None
    now = await database_now(session)
    try:
        await _require_one_vote(session, ticket, user, verdict, scope, now)
        cast_vote(ticket, Vote(user.address, verdict, "", decided_at=now))
    except (VoterNotAllowed, TicketClosed, AlreadyVoted) as error:
        rejection = error
    return ProposedAction(VoteContent(ticket, verdict), _permission(ticket, verdict), rejection)
