"""Approval votes: submit one. Shared by the endpoints of tickets and of redemption requests."""

from paimon.application.approval_workflow.decide import DecideTicket, decide_ticket
from paimon.application.approval_workflow.queries import get_ticket_detail
from paimon.composition import AppContext
from paimon.domain.approval.ticket import Verdict
from paimon.domain.user.roles import User
from paimon.gateway.rest.errors import InvalidInput
from paimon.gateway.rest.views.approvals import DecisionBody, TicketDetailView


async def decide(context: AppContext, user: User, ticket_id: str, verdict: Verdict, body: DecisionBody) -> TicketDetailView:
    """Record the vote, and return the ticket with it. Raises InvalidInput for a rejection without a reason."""
    if verdict is Verdict.REJECT and not body.reason.strip():
        raise InvalidInput("reason", "a rejection needs a reason: others read why")
    await decide_ticket(
        DecideTicket(ticket_id, user, verdict, body.reason, body.signed),
        database=context.database,
        contracts=context.contracts,
        rules=context.signing_rules,
        approver=context.settings.sending.approver,
    )
    async with context.database.write() as session:  # the primary: a replica may not have the vote yet
        detail = await get_ticket_detail(session, ticket_id, context.signing_rules.scope)
        return TicketDetailView.of_detail(detail, None)
