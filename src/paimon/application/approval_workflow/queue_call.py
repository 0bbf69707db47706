"""Queue the on-chain call of a decided ticket: when the last vote comes in, and again when a try ended without effect."""

import structlog

from paimon.application.approval_tickets.store import list_decided_redemptions
from paimon.application.approval_workflow.verify_votes import verify_votes
from paimon.application.transactions.intents import approve_call, queue_intent, reject_call
from paimon.application.transactions.retries import RetriesExhausted, next_retry_key
from paimon.domain.approval.ticket import RedemptionTicket, TicketStatus, Verdict
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.domain.transaction.lifecycle import IntentKind
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.sessions import Database, WriteSession

log = structlog.get_logger(__name__)


async def queue_call(session: WriteSession, ticket: RedemptionTicket, *, contracts: FundContracts, approver: Address) -> None:
    """Queue the call of a decided ticket. An earlier try that is open or has succeeded keeps its intent.

    Raises:
        RetriesExhausted.
    """
    if ticket.status is TicketStatus.APPROVED:
        kind, call = IntentKind.APPROVE_REDEMPTION, approve_call(contracts, ticket.request_id)
    else:
        (reason,) = (vote.reason for vote in ticket.votes if vote.verdict is Verdict.REJECT)  # one rejection ends a ticket
        kind, call = IntentKind.REJECT_REDEMPTION, reject_call(contracts, ticket.request_id, reason)
    subject = IntentSubject.redemption(ticket.request_id)
    await queue_intent(
        session,
        key=await next_retry_key(session, kind, subject),
        kind=kind,
        wallet=approver,
        call=call,
        subject=subject,
        ticket_id=ticket.id,
    )


async def queue_decided_calls(database: Database, contracts: FundContracts, *, approver: Address, scope: SigningScope) -> None:
    """Queue a call for every ticket that votes have decided and the chain has not closed. The votes are verified first."""
    async with database.read() as session:
        tickets = await list_decided_redemptions(session)
    for ticket in tickets:
        if verify_votes(ticket, scope).status is not ticket.status:
            log.critical("approval.votes_do_not_verify", ticket_id=ticket.id)
            continue
        try:
            async with database.write() as session:
                await queue_call(session, ticket, contracts=contracts, approver=approver)
        except RetriesExhausted as error:
            log.error("approval.exhausted", ticket_id=ticket.id, reason=str(error))
