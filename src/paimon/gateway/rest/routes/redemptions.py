"""Endpoints of redemption requests: list them, show one with its timeline, vote on one, settle one."""

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from paimon.application.redemptions.queries import (
    RedemptionFilter,
    get_detail,
    list_awaiting_approval,
    list_redemptions,
)
from paimon.application.redemptions.settle_now import settle_request_now
from paimon.domain.approval.redemption_ticket import ticket_id
from paimon.domain.approval.ticket import Verdict
from paimon.domain.redemption.request import RedemptionChannel, RedemptionStatus
from paimon.gateway.rest.dependencies import ApprovingUser, ContextDep, RequestId, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.errors import InvalidInput
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import documented_responses, with_csv
from paimon.gateway.rest.routes.ticket_decisions import decide
from paimon.gateway.rest.schema import AddressText
from paimon.gateway.rest.views.approvals import DecisionBody, TicketDetailView
from paimon.gateway.rest.views.redemptions import AwaitingApprovalView, RedemptionDetailView, RedemptionView
from paimon.gateway.rest.views.signed_action import SignedActionBody
from paimon.gateway.rest.views.transactions import IntentSummary
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/redemptions", tags=["redemptions"])

_REDEMPTIONS: Final = paged_table("redemptions", RedemptionView, Envelope[Listing[RedemptionView]])
_PENDING_APPROVALS: Final = paged_table("pending-approvals", AwaitingApprovalView, Envelope[Listing[AwaitingApprovalView]])
_DECISION_ERRORS = (400, 401, 403, 404, 409, 413, 415, 503)


@router.get(
    "",
    operation_id="listRedemptions",
    summary="List redemption requests, latest first",
    response_model=_REDEMPTIONS.envelope,
    responses=with_csv(_REDEMPTIONS, documented_responses("redemptions", 400, 401, 503)),
)
async def index(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    status: Annotated[RedemptionStatus | None, Query()] = None,
    channel: Annotated[RedemptionChannel | None, Query()] = None,
    owner: Annotated[AddressText | None, Query()] = None,
    start_date: Annotated[date | None, Query(alias="startDate", description="UTC day of the request, included")] = None,
    end_date: Annotated[date | None, Query(alias="endDate", description="UTC day of the request, included")] = None,
) -> Any:
    if start_date is not None and end_date is not None and start_date > end_date:
        raise InvalidInput("endDate", "endDate is before startDate")
    filters = RedemptionFilter(status, channel, owner, start_date, end_date)

    async def read(session: ReadSession, page: PageRequest) -> Listing[RedemptionView]:
        found = await list_redemptions(session, page, filters)
        return Listing[RedemptionView].page(found.mapped(RedemptionView.of))

    return await list_response(context, list_request, _REDEMPTIONS, read)


@router.get(
    "/pending-approvals",
    operation_id="listPendingApprovals",
    summary="List requests that await approval with their tickets, oldest first",
    response_model=_PENDING_APPROVALS.envelope,
    responses=with_csv(_PENDING_APPROVALS, documented_responses("pending_approvals", 400, 401, 503)),
)
async def pending_approvals(context: ContextDep, _user: SignedInUser, list_request: ListRequestDep) -> Any:
    async def read(session: ReadSession, page: PageRequest) -> Listing[AwaitingApprovalView]:
        now = await database_now(session)
        found = await list_awaiting_approval(session, page)
        return Listing[AwaitingApprovalView].page(found.mapped(lambda awaiting: AwaitingApprovalView.of(awaiting, now)))

    return await list_response(context, list_request, _PENDING_APPROVALS, read)


@router.get(
    "/{requestId}",
    operation_id="getRedemption",
    summary="Show a redemption request with its timeline",
    responses=documented_responses("redemption", 400, 401, 404, 503),
)
async def detail(request_id: RequestId, context: ContextDep, _user: SignedInUser) -> Envelope[RedemptionDetailView]:
    async with context.database.read() as session:
        found = await get_detail(session, request_id)
        now = await database_now(session)
    return Envelope[RedemptionDetailView](data=RedemptionDetailView.of_detail(found, now))


@router.post(
    "/{requestId}/approve",
    operation_id="approveRedemption",
    summary="Vote to approve",
    responses=documented_responses("decided", *_DECISION_ERRORS),
)
async def approve(
    request_id: RequestId, body: DecisionBody, context: ContextDep, user: ApprovingUser
) -> Envelope[TicketDetailView]:
    """Vote on the request's ticket, as `POST /approvals/{ticketId}/approve` does."""
    return Envelope[TicketDetailView](data=await decide(context, user, ticket_id(request_id), Verdict.APPROVE, body))


@router.post(
    "/{requestId}/reject",
    operation_id="rejectRedemption",
    summary="Vote to reject",
    responses=documented_responses("decided", *_DECISION_ERRORS),
)
async def reject(
    request_id: RequestId, body: DecisionBody, context: ContextDep, user: ApprovingUser
) -> Envelope[TicketDetailView]:
    """Vote on the request's ticket, as `POST /approvals/{ticketId}/reject` does: a single rejection decides it."""
    return Envelope[TicketDetailView](data=await decide(context, user, ticket_id(request_id), Verdict.REJECT, body))


@router.post(
    "/{requestId}/settle",
    status_code=202,
    operation_id="settleRedemption",
    summary="Settle a due request now",
    responses=documented_responses("settle", *_DECISION_ERRORS, status=202),
)
async def settle(
    request_id: RequestId, body: SignedActionBody, context: ContextDep, user: SignedInUser
) -> Envelope[IntentSummary]:
    """Queue the settlement that the operator signed: the document of `settle_redemption` from `POST /signed-actions`.

    The chain's time decides whether it is due. While a settlement of the request is open, another signature returns its intent.
    """
    intent = await settle_request_now(
        request_id,
        body.request_of(user),
        context=context.signing,
        contracts=context.contracts,
        keeper=context.settings.sending.keeper,
    )
    return Envelope[IntentSummary](data=IntentSummary.of(intent))
