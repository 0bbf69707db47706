"""One decision, reachable under the ticket's name and under the request's."""

from paimon.application.approval_workflow.decide import DecideTicket, decide_ticket
from paimon.application.approval_workflow.queries import get_file
from paimon.composition import House
from paimon.domain.approval.ticket import Verdict
from paimon.domain.user.roles import User
from paimon.gateway.rest.errors import InvalidInput
from paimon.gateway.rest.views.approvals import DecisionBody, TicketDetailView


async def decide(house: House, user: User, ticket_id: str, verdict: Verdict, body: DecisionBody) -> TicketDetailView:
    """The ticket as it is after this vote."""
    if verdict is Verdict.REJECT and not body.reason.strip():
        raise InvalidInput("reason", "a rejection says why: the reason is written to the chain")
    await decide_ticket(
        DecideTicket(ticket_id, user, verdict, body.reason, body.nonce, body.expires_at, body.signature),
        database=house.database,
        contracts=house.contracts,
        scope=house.vote_scope,
        approver=house.settings.sending.approver,
        vote_ttl_seconds_max=house.settings.approval.vote_ttl_seconds_max,
    )
    async with house.database.write() as session:  # the primary: a replica may not have the vote yet
        return TicketDetailView.of_file(await get_file(session, ticket_id), None)
