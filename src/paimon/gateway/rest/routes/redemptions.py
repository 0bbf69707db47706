"""Redemptions: lists, one request's story, its approval under its own name, and settlement on demand."""

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from paimon.application.redemptions.queries import (
    RedemptionFilter,
    get_detail,
    list_awaiting_approval,
    list_redemptions,
)
from paimon.application.redemptions.settle_now import settle_one
from paimon.domain.approval.ticket import Verdict, ticket_id
from paimon.domain.redemption.request import Channel, RedemptionStatus
from paimon.gateway.rest.dependencies import HouseDep, RequestId, Settler, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.errors import InvalidInput
from paimon.gateway.rest.list_responses import AskedDep, answer_list, listing
from paimon.gateway.rest.openapi import answers, file_too
from paimon.gateway.rest.routes.ticket_decisions import decide
from paimon.gateway.rest.schema import AddressText
from paimon.gateway.rest.views.approvals import DecisionBody, TicketDetailView
from paimon.gateway.rest.views.redemptions import AwaitingApprovalView, RedemptionDetailView, RedemptionView
from paimon.gateway.rest.views.transactions import IntentSummary
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/redemptions", tags=["redemptions"])

_REDEMPTIONS: Final = listing("redemptions", RedemptionView, Envelope[Listing[RedemptionView]])
_PENDING_APPROVALS: Final = listing("pending-approvals", AwaitingApprovalView, Envelope[Listing[AwaitingApprovalView]])
_DECISION_ERRORS = (400, 401, 403, 404, 409, 413, 415, 503)


@router.get(
    "",
    summary="Requests, latest first",
    response_model=_REDEMPTIONS.envelope,
    responses=file_too(_REDEMPTIONS, answers("redemptions", 400, 401, 503)),
)
async def index(
    house: HouseDep,
    _user: SignedInUser,
    asked: AskedDep,
    status: Annotated[RedemptionStatus | None, Query()] = None,
    channel: Annotated[Channel | None, Query()] = None,
    owner: Annotated[AddressText | None, Query()] = None,
    start_date: Annotated[date | None, Query(alias="startDate", description="UTC day of the request, included")] = None,
    end_date: Annotated[date | None, Query(alias="endDate", description="UTC day of the request, included")] = None,
) -> Any:
    if start_date is not None and end_date is not None and start_date > end_date:
        raise InvalidInput("endDate", "endDate lies before startDate")
    wanted = RedemptionFilter(status, channel, owner, start_date, end_date)

    async def read(session: ReadSession, page: PageRequest) -> Listing[RedemptionView]:
        found = await list_redemptions(session, page, wanted)
        return Listing[RedemptionView].page(found.mapped(RedemptionView.of))

    return await answer_list(house, asked, _REDEMPTIONS, read)


@router.get(
    "/pending-approvals",
    summary="Requests that await an approval, oldest first, with their tickets",
    response_model=_PENDING_APPROVALS.envelope,
    responses=file_too(_PENDING_APPROVALS, answers("pending_approvals", 400, 401, 503)),
)
async def pending_approvals(house: HouseDep, _user: SignedInUser, asked: AskedDep) -> Any:
    async def read(session: ReadSession, page: PageRequest) -> Listing[AwaitingApprovalView]:
        now = await database_now(session)
        found = await list_awaiting_approval(session, page)
        return Listing[AwaitingApprovalView].page(found.mapped(lambda each: AwaitingApprovalView.of(each, now)))

    return await answer_list(house, asked, _PENDING_APPROVALS, read)


@router.get("/{requestId}", summary="One request with its story", responses=answers("redemption", 400, 401, 404, 503))
async def detail(request_id: RequestId, house: HouseDep, _user: SignedInUser) -> Envelope[RedemptionDetailView]:
    async with house.database.read() as session:
        found = await get_detail(session, request_id)
        now = await database_now(session)
    return Envelope[RedemptionDetailView](data=RedemptionDetailView.of_detail(found, now))


@router.post("/{requestId}/approve", summary="Vote to approve", responses=answers("decided", *_DECISION_ERRORS))
async def approve(request_id: RequestId, body: DecisionBody, house: HouseDep, user: SignedInUser) -> Envelope[TicketDetailView]:
    """The same as on its ticket: one ticket a request."""
    return Envelope[TicketDetailView](data=await decide(house, user, ticket_id(request_id), Verdict.APPROVE, body))


@router.post("/{requestId}/reject", summary="Vote to reject", responses=answers("decided", *_DECISION_ERRORS))
async def reject(request_id: RequestId, body: DecisionBody, house: HouseDep, user: SignedInUser) -> Envelope[TicketDetailView]:
    """The same as on its ticket: a single rejection ends it."""
    return Envelope[TicketDetailView](data=await decide(house, user, ticket_id(request_id), Verdict.REJECT, body))


@router.post(
    "/{requestId}/settle",
    status_code=202,
    summary="Settle a due request now",
    responses=answers("settle", 400, 401, 403, 404, 409, 503, status=202),
)
async def settle(request_id: RequestId, house: HouseDep, user: Settler) -> Envelope[IntentSummary]:
    """Queues the settlement; whether it is due is judged by the chain's time. Asked again, it names the same intent."""
    intent = await settle_one(
        request_id,
        by=user,
        database=house.database,
        contracts=house.contracts,
        keeper=house.settings.sending.keeper,
    )
    return Envelope[IntentSummary](data=IntentSummary.of(intent))
