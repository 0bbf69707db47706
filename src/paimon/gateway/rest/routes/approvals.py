"""Endpoints of approval tickets: list them, show one with the documents to sign, vote."""

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from paimon.application.approval_tickets.store import get_ticket
from paimon.application.approval_workflow.queries import SlaFilter, TicketDetail, get_ticket_detail, list_tickets, sla_report
from paimon.application.approval_workflow.readiness import list_signer_groups
from paimon.application.audit.queries import AuditFilter, list_entries
from paimon.composition import AppContext
from paimon.domain.approval.plan_ticket import PlanTicket
from paimon.domain.approval.ticket import TicketStatus, TicketType, Verdict
from paimon.domain.approval.vote import VoteContent
from paimon.gateway.rest.dependencies import ApprovingUser, AuditReader, ContextDep, SignedInUser, TicketId
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.errors import InvalidInput
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import documented_responses, with_csv
from paimon.gateway.rest.routes.ticket_decisions import decide
from paimon.gateway.rest.views.approvals import (
    DecisionBody,
    SigningView,
    SlaReportView,
    TicketDetailView,
    TicketView,
)
from paimon.gateway.rest.views.audit import AuditEntryView
from paimon.gateway.rest.views.readiness import ReadinessView
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/approvals", tags=["approvals"])

_TICKETS: Final = paged_table("approvals", TicketView, Envelope[Listing[TicketView]])
_AUDIT_LOGS: Final = paged_table("ticket-audit-logs", AuditEntryView, Envelope[Listing[AuditEntryView]])
_DECISION_ERRORS = (400, 401, 403, 404, 409, 413, 415, 503)


@router.get(
    "",
    operation_id="listTickets",
    summary="List tickets, latest first",
    response_model=_TICKETS.envelope,
    responses=with_csv(_TICKETS, documented_responses("tickets", 400, 401, 503)),
)
async def index(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    status: Annotated[TicketStatus | None, Query()] = None,
    kind: Annotated[TicketType | None, Query(alias="type")] = None,
) -> Any:
    async def read(session: ReadSession, page: PageRequest) -> Listing[TicketView]:
        now = await database_now(session)
        found = await list_tickets(session, page, status=status, kind=kind)
        return Listing[TicketView].page(found.mapped(lambda ticket: TicketView.of(ticket, now)))

    return await list_response(context, list_request, _TICKETS, read)


@router.get(
    "/readiness",
    operation_id="getSignerReadiness",
    summary="Show who can sign now",
    responses=documented_responses("signer_readiness", 401, 503),
)
async def readiness(context: ContextDep, _user: SignedInUser) -> Envelope[ReadinessView]:
    """The owners of each Safe, and each group of voters of the policy in force. When one was seen is a hint only."""
    async with context.database.read() as session:
        groups = await list_signer_groups(session, context.safe_context, context.signing_rules.scope)
        now = await database_now(session)
    return Envelope[ReadinessView](data=ReadinessView.of(groups, now, within=context.settings.approval.seen_within))


@router.get(
    "/sla-report",
    operation_id="getSlaReport",
    summary="Report how tickets met their SLA",
    responses=documented_responses("sla_report", 400, 401, 503),
)
async def report(
    context: ContextDep,
    _user: SignedInUser,
    kind: Annotated[TicketType | None, Query(alias="type")] = None,
    start_date: Annotated[date | None, Query(alias="startDate", description="UTC day of the opening, included")] = None,
    end_date: Annotated[date | None, Query(alias="endDate", description="UTC day of the opening, included")] = None,
) -> Envelope[SlaReportView]:
    """Of tickets that were opened in the period. Late is a decision, or a vote, after the deadline."""
    if start_date is not None and end_date is not None and start_date > end_date:
        raise InvalidInput("endDate", "endDate is before startDate")
    async with context.database.read() as session:
        found = await sla_report(session, SlaFilter(kind, start_date, end_date), now=await database_now(session))
    return Envelope[SlaReportView](data=SlaReportView.of(found))


@router.get(
    "/{ticketId}/audit-logs",
    operation_id="listTicketAuditLogs",
    summary="List what happened to a ticket, latest first",
    response_model=_AUDIT_LOGS.envelope,
    responses=with_csv(_AUDIT_LOGS, documented_responses("ticket_audit_logs", 400, 401, 403, 404, 503)),
)
async def audit_logs(ticket_id: TicketId, context: ContextDep, _user: AuditReader, list_request: ListRequestDep) -> Any:
    """The entries of the audit trail about the ticket; `GET /audit/entries/{entryId}` has an entry's payload and proof."""

    async def read(session: ReadSession, page: PageRequest) -> Listing[AuditEntryView]:
        await get_ticket(session, ticket_id)
        found = await list_entries(session, page, AuditFilter(resource=f"ticket/{ticket_id}"))
        return Listing[AuditEntryView].page(found.mapped(AuditEntryView.of))

    return await list_response(context, list_request, _AUDIT_LOGS, read)


@router.get(
    "/{ticketId}",
    operation_id="getTicket",
    summary="Show a ticket with its votes and the documents to sign",
    responses=documented_responses("ticket", 400, 401, 404, 503),
)
async def detail(ticket_id: TicketId, context: ContextDep, _user: SignedInUser) -> Envelope[TicketDetailView]:
    """`signing` holds the EIP-712 documents of both verdicts with a fresh nonce and expiry, while the ticket is open.

    Replace `message.reason` by your own before signing, and send that reason with the signature.
    """
    async with context.database.read() as session:
        detail = await get_ticket_detail(session, ticket_id, context.signing_rules.scope)
    return Envelope[TicketDetailView](data=TicketDetailView.of_detail(detail, _signing(detail, context)))


def _signing(detail: TicketDetail, context: AppContext) -> SigningView | None:
    ticket, rules = detail.ticket, context.signing_rules
    terms = rules.new_terms(detail.read_at)

    def document(verdict: Verdict) -> dict[str, Any]:
        return VoteContent(ticket, verdict).document("", terms, rules.scope)

    if isinstance(ticket, PlanTicket):
        if not ticket.is_undecided:
            return None
        return SigningView(approve=None, reject=document(Verdict.REJECT), cancel=document(Verdict.CANCEL))
    if not ticket.is_open:
        return None
    return SigningView(approve=document(Verdict.APPROVE), reject=document(Verdict.REJECT), cancel=None)


@router.post(
    "/{ticketId}/approve",
    operation_id="approveTicket",
    summary="Vote to approve",
    responses=documented_responses("decided", *_DECISION_ERRORS),
)
async def approve(
    ticket_id: TicketId, body: DecisionBody, context: ContextDep, user: ApprovingUser
) -> Envelope[TicketDetailView]:
    """The voter needs the role admin here and VIP_APPROVER_ROLE on chain, and is not the request's owner or receiver.

    Of redemptions only: owners approve a plan with `POST /multisig/proposals/{safeTxHash}/sign`.
    """
    return Envelope[TicketDetailView](data=await decide(context, user, ticket_id, Verdict.APPROVE, body))


@router.post(
    "/{ticketId}/reject",
    operation_id="rejectTicket",
    summary="Vote to reject",
    responses=documented_responses("decided", *_DECISION_ERRORS),
)
async def reject(
    ticket_id: TicketId, body: DecisionBody, context: ContextDep, user: ApprovingUser
) -> Envelope[TicketDetailView]:
    """A single rejection decides the ticket. The reason of a redemption's is written to the chain.

    A rejected plan is not executed here; `POST /multisig/proposals/{safeTxHash}/reject` makes its Safe transaction impossible.
    """
    return Envelope[TicketDetailView](data=await decide(context, user, ticket_id, Verdict.REJECT, body))


@router.post(
    "/{ticketId}/cancel",
    operation_id="cancelTicket",
    summary="Cancel the plan of a ticket",
    responses=documented_responses("decided", *_DECISION_ERRORS),
)
async def cancel(
    ticket_id: TicketId, body: DecisionBody, context: ContextDep, user: ApprovingUser
) -> Envelope[TicketDetailView]:
    """Only the person who asked for the plan cancels it. The ticket of a redemption closes with its outcome on chain: 409."""
    return Envelope[TicketDetailView](data=await decide(context, user, ticket_id, Verdict.CANCEL, body))
