"""Open and close tickets as the chain requires: open while a request awaits approval, closed when it no longer does.

Both are level-triggered: they read the request's present state, so a repeated, late or concurrent call changes nothing more.
"""

from datetime import datetime

import structlog

from paimon.application.approval_tickets.store import insert_ticket, lock_ticket, of_redemption, save_outcome
from paimon.application.nav.store import find_asset_decimals
from paimon.domain.approval import ticket as approval
from paimon.domain.approval.policy import ApprovalPolicy
from paimon.domain.approval.redemption_ticket import open_ticket, ticket_id
from paimon.domain.approval.ticket import RedemptionTicket
from paimon.domain.redemption.request import Redemption, RedemptionStatus
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)


async def open_ticket_if_needed(
    session: WriteSession, redemption: Redemption, policy: ApprovalPolicy, *, now: datetime
) -> RedemptionTicket | None:
    """Return the ticket this call opened; None when the request awaits no approval or has a ticket."""
    if redemption.status is not RedemptionStatus.PENDING_APPROVAL:
        return None
    decimals = await find_asset_decimals(session)
    ticket = open_ticket(redemption, policy, decimals=decimals, now=now)
    if not await insert_ticket(session, ticket):
        return None
    log.info("ticket.opened", ticket_id=ticket.id, type=ticket.type, deadline_at=ticket.deadline_at.isoformat())
    return ticket


async def adopt_chain_outcome(session: WriteSession, redemption: Redemption, *, now: datetime) -> RedemptionTicket | None:
    """Return the ticket this call closed with the outcome on chain.

    None when the request has no ticket, its ticket is closed, or it still awaits approval.
    """
    found = await lock_ticket(session, ticket_id(redemption.request_id))
    if found is None or found.closed_at is not None:
        return None
    ticket = of_redemption(found)
    adopted = approval.adopt_chain_outcome(ticket, redemption.status, now=now)
    if adopted.closed_at is None:
        return None
    await save_outcome(session, adopted)
    log.info("ticket.closed", ticket_id=adopted.id, status=adopted.status, decided_externally=adopted.decided_externally)
    return adopted
