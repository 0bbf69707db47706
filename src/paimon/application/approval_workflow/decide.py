"""One person's signed decision on a ticket, and the on-chain call it leads to.

What is checked, in this order, each with an exception of its own: the ticket exists; the signature is one; its expiry
lies ahead, and not too far; its nonce was never used; it was made by the signed-in wallet over exactly this ticket; that
person may decide, here and on chain; the ticket still takes their vote. Vote, ticket and intent commit together, so a
decided ticket without its call, or a call without its votes, cannot exist.
"""

from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import select

from paimon.application.approval_workflow.queue_call import queue_call
from paimon.application.approval_workflow.store import (
    TicketNotFound,
    insert_record,
    lock_ticket,
    nonce_is_used,
    save_outcome,
)
from paimon.application.common.signed_action import NonceUsed, SignedAction, SigningRules, verify_signed_action
from paimon.application.identity.users import require_permission
from paimon.domain.approval.ticket import Ticket, TicketStatus, Verdict, Vote, VoterNotAllowed, decide
from paimon.domain.approval.vote import redemption_decision, redemption_decision_document
from paimon.domain.kernel.chain import Address, ContractName, OnChainRole, checksum
from paimon.domain.user.roles import Permission, User
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import RoleHolderRow
from paimon.infrastructure.database.sessions import Database, WriteSession

log = structlog.get_logger(__name__)

_DECIDED: Final = frozenset({TicketStatus.APPROVED, TicketStatus.REJECTED})


@dataclass(frozen=True, slots=True)
class DecideTicket:
    """What the signed-in user sent: the verdict, and the free parts of the typed data they signed."""

    ticket_id: str
    user: User
    verdict: Verdict
    reason: str
    signed: SignedAction


async def decide_ticket(
    command: DecideTicket,
    *,
    database: Database,
    contracts: FundContracts,
    rules: SigningRules,
    approver: Address,
) -> Ticket:
    """The ticket with this vote. A ticket that it decides has its intent queued in the same transaction.

    Raises:
        TicketNotFound, MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch, NotPermitted, VoterNotAllowed,
        TicketClosed, AlreadyVoted.
    """
    async with database.write() as session:
        # Two votes at once: the second waits here until the first has committed, and sees it.
        ticket = await lock_ticket(session, command.ticket_id)
        if ticket is None:
            raise TicketNotFound(f"there is no ticket {command.ticket_id}")
        now = await database_now(session)
        decision = redemption_decision(ticket, command.verdict, command.reason, command.signed.terms)
        evidence = verify_signed_action(
            command.signed,
            redemption_decision_document(decision, rules.scope),
            signer=command.user.address,
            now=now,
            rules=rules,
            nonce_used=await nonce_is_used(session, decision.terms.nonce),
        )
        require_permission(command.user, Permission.DECIDE_APPROVAL)
        await _require_on_chain_role(session, command.user.address)

        vote = Vote(command.user.address, command.verdict, command.reason, decided_at=now)
        decided = decide(ticket, vote)
        if not await insert_record(session, ticket.id, vote, evidence):
            raise NonceUsed  # a vote on another ticket used it after the check
        await save_outcome(session, decided)
        if decided.status in _DECIDED:
            await queue_call(session, decided, contracts=contracts, approver=approver)
    log.info("ticket.voted", ticket_id=decided.id, verdict=vote.verdict, voter=checksum(vote.voter), status=decided.status)
    return decided


async def _require_on_chain_role(session: WriteSession, voter: Address) -> None:
    query = select(RoleHolderRow.account).where(
        RoleHolderRow.contract == ContractName.REDEMPTION_MANAGER,
        RoleHolderRow.role == OnChainRole.VIP_APPROVER_ROLE.id,
        RoleHolderRow.account == voter,
    )
    if (await session.execute(query)).scalar_one_or_none() is None:
        raise VoterNotAllowed(f"{checksum(voter)} does not hold VIP_APPROVER_ROLE on the RedemptionManager")
