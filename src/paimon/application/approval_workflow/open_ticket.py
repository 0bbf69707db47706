"""A ticket's beginning and end, both by the chain: raised while its request awaits approval, closed when it no longer does.

Both are level-triggered: they read the request's present state and do what is due, so being called twice, late or at the
same time by two workers changes nothing more.
"""

from datetime import datetime

import structlog

from paimon.application.approval_workflow.store import insert_ticket, lock_ticket, save_outcome
from paimon.domain.approval import ticket as approval
from paimon.domain.approval.ticket import ApprovalPolicy, Ticket, open_ticket, ticket_id
from paimon.domain.redemption.request import Redemption, RedemptionStatus
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)


async def open_ticket_if_needed(
    session: WriteSession, redemption: Redemption, policy: ApprovalPolicy, *, now: datetime
) -> Ticket | None:
    """The ticket this call raised, or None: the request awaits nobody, or has its ticket already."""
    if redemption.status is not RedemptionStatus.PENDING_APPROVAL:
        return None
    ticket = open_ticket(redemption, policy, now=now)
    if not await insert_ticket(session, ticket):
        return None
    log.info("ticket.opened", ticket_id=ticket.id, type=ticket.type, deadline_at=ticket.deadline_at.isoformat())
    return ticket


async def adopt_chain_outcome(session: WriteSession, redemption: Redemption, *, now: datetime) -> Ticket | None:
    """The ticket this call closed by what its request shows on chain, or None: it has none, is closed, or still awaits."""
    ticket = await lock_ticket(session, ticket_id(redemption.request_id))
    if ticket is None or ticket.closed_at is not None:
        return None
    adopted = approval.adopt_chain_outcome(ticket, redemption.status, now=now)
    if adopted.closed_at is None:
        return None
    await save_outcome(session, adopted)
    log.info("ticket.closed", ticket_id=adopted.id, status=adopted.status, decided_externally=adopted.decided_externally)
    return adopted
