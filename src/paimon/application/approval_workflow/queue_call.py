"""From a decided ticket to its call on chain. Once when the last vote comes in, and again should a try end without effect."""

import structlog
from sqlalchemy import select

from paimon.application.approval_workflow.store import to_domain, with_records
from paimon.application.transactions.intents import approve_call, queue_intent, reject_call
from paimon.application.transactions.retries import RetriesExhausted, next_retry_key
from paimon.domain.approval.ticket import Ticket, TicketStatus, Verdict
from paimon.domain.kernel.chain import Address
from paimon.domain.transaction.lifecycle import IntentKind
from paimon.infrastructure.blockchain.contracts.fund import FundContracts
from paimon.infrastructure.database.models.ops.approval import ApprovalTicketRow
from paimon.infrastructure.database.sessions import Database, WriteSession

log = structlog.get_logger(__name__)


async def queue_call(session: WriteSession, ticket: Ticket, *, contracts: FundContracts, approver: Address) -> None:
    """Queue what a decided ticket leads to; nothing new while an earlier try is under way or has succeeded.

    Raises:
        RetriesExhausted.
    """
    if ticket.status is TicketStatus.APPROVED:
        kind, call = IntentKind.APPROVE_REDEMPTION, approve_call(contracts, ticket.request_id)
    else:
        (reason,) = (vote.reason for vote in ticket.votes if vote.verdict is Verdict.REJECT)  # one rejection ends a ticket
        kind, call = IntentKind.REJECT_REDEMPTION, reject_call(contracts, ticket.request_id, reason)
    await queue_intent(
        session,
        key=await next_retry_key(session, kind, ticket.request_id),
        kind=kind,
        wallet=approver,
        call=call,
        request_id=ticket.request_id,
        ticket_id=ticket.id,
    )


async def queue_decided_calls(database: Database, contracts: FundContracts, *, approver: Address) -> None:
    """See to it that every ticket decided here, and not yet closed by the chain, has a try under way."""
    query = with_records(select(ApprovalTicketRow)).where(
        ApprovalTicketRow.status.in_((TicketStatus.APPROVED, TicketStatus.REJECTED)), ApprovalTicketRow.closed_at.is_(None)
    )
    async with database.read() as session:
        tickets = [to_domain(row) for row in await session.scalars(query)]
    for ticket in tickets:
        try:
            async with database.write() as session:
                await queue_call(session, ticket, contracts=contracts, approver=approver)
        except RetriesExhausted as error:
            log.error("approval.exhausted", ticket_id=ticket.id, reason=str(error))
