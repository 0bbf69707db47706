"""Endpoints of rebalancing: the state with its triggers, the history, a preview with own targets, and its submission."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query

from paimon.application.approval_tickets.store import find_ticket
from paimon.application.rebalance_engine.manual import execute_manual, preview_manual, preview_reversal
from paimon.application.rebalance_engine.queries import RebalanceFilter, list_rebalances
from paimon.application.rebalance_engine.status import read_state
from paimon.application.transactions.plans.submit import PlanSignature
from paimon.domain.approval.plan_ticket import plan_ticket_id
from paimon.domain.kernel.units import RawAmount
from paimon.domain.rebalance.rebalance_record import RebalanceStatus
from paimon.domain.rebalance.triggers import Trigger, TriggerPolicy
from paimon.gateway.rest.dependencies import ContextDep, PlanningUser, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.errors import InvalidInput
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import documented_responses, with_csv
from paimon.gateway.rest.views.rebalance import (
    RebalanceExecuteBody,
    RebalanceExecutedView,
    RebalancePreviewBody,
    RebalancePreviewView,
    RebalanceStatusView,
    RebalanceView,
)
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/rebalance", tags=["rebalance"])

RebalanceId = Annotated[UUID, Path(alias="rebalanceId")]

_HISTORY: Final = paged_table("rebalances", RebalanceView, Envelope[Listing[RebalanceView]])


@router.get(
    "/status",
    operation_id="getRebalanceStatus",
    summary="Show how far off target the fund is, and why each trigger did or did not start a plan",
    responses=documented_responses("rebalance_status", 400, 401, 503),
)
async def status(context: ContextDep, _user: SignedInUser) -> Envelope[RebalanceStatusView]:
    """Measured at the newest snapshot. What only a person asks for is no need to rebalance."""
    state = await read_state(context.rebalance_context(context.plan_context))
    return Envelope[RebalanceStatusView](data=RebalanceStatusView.of(state, TriggerPolicy().tier_deviation))


@router.get(
    "/history",
    operation_id="listRebalances",
    summary="List the decisions of the rebalance engine with their results, latest first",
    response_model=_HISTORY.envelope,
    responses=with_csv(_HISTORY, documented_responses("rebalances", 400, 401, 503)),
)
async def history(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    trigger: Annotated[Trigger | None, Query()] = None,
    state: Annotated[RebalanceStatus | None, Query(alias="status")] = None,
    start_date: Annotated[date | None, Query(alias="startDate", description="UTC day, included")] = None,
    end_date: Annotated[date | None, Query(alias="endDate", description="UTC day, included")] = None,
) -> Any:
    if start_date is not None and end_date is not None and start_date > end_date:
        raise InvalidInput("endDate", "endDate is before startDate")
    filters = RebalanceFilter(
        trigger,
        state,
        None if start_date is None else datetime.combine(start_date, time(), UTC),
        None if end_date is None else datetime.combine(end_date, time(), UTC) + timedelta(days=1),
    )

    async def read(session: ReadSession, page: PageRequest) -> Listing[RebalanceView]:
        found = await list_rebalances(session, page, filters)
        return Listing[RebalanceView].page(found.mapped(RebalanceView.of))

    return await list_response(context, list_request, _HISTORY, read)


@router.post(
    "/preview",
    operation_id="previewRebalance",
    summary="Plan the trades that bring the fund to its targets, or to own ones",
    responses=documented_responses("rebalance_preview", 400, 401, 403, 409, 413, 415, 503),
)
async def preview(body: RebalancePreviewBody, context: ContextDep, user: PlanningUser) -> Envelope[RebalancePreviewView]:
    """The decision is kept with its inputs; sign `plan.signing` within 15 minutes to submit it. Nothing is sent."""
    targets = None if body.target_ratios is None else body.target_ratios.targets
    found = await preview_manual(user, targets, context.rebalance_context(context.plan_context))
    return Envelope[RebalancePreviewView](data=RebalancePreviewView.of(found))


@router.post(
    "/{rebalanceId}/reverse",
    operation_id="reverseRebalance",
    summary="Plan the trades that undo what a rebalance did",
    responses=documented_responses("rebalance_preview", 400, 401, 403, 404, 409, 503),
)
async def reverse(rebalance_id: RebalanceId, context: ContextDep, user: PlanningUser) -> Envelope[RebalancePreviewView]:
    """Nothing is undone by this: sign `plan.signing` within 15 minutes and submit it as any previewed rebalance.

    It sells what the rebalance bought, and buys back for what its sales brought, at the prices of now. Once only.
    """
    found = await preview_reversal(user, rebalance_id, context.rebalance_context(context.plan_context))
    return Envelope[RebalancePreviewView](data=RebalancePreviewView.of(found))


@router.post(
    "/execute",
    status_code=202,
    operation_id="executeRebalance",
    summary="Submit a previewed rebalance",
    responses=documented_responses("rebalance_executed", 400, 401, 403, 404, 409, 413, 415, 503, status=202),
)
async def execute(body: RebalanceExecuteBody, context: ContextDep, user: SignedInUser) -> Envelope[RebalanceExecutedView]:
    """It becomes a plan, `/plans/{planId}`: the hot key's is sent at once, a Safe's is proposed to its owners.

    If another wallet is needed by now, or the amount has changed, it is refused: preview again.
    """
    signature = PlanSignature(user, body.wallet, RawAmount(body.amount), body.signed)
    record = await execute_manual(body.rebalance_id, signature, context.rebalance_context(context.plan_context))
    async with context.database.write() as session:  # the primary: a replica may not have it yet
        ticket = None if record.plan_id is None else await find_ticket(session, plan_ticket_id(record.plan_id))
    return Envelope[RebalanceExecutedView](data=RebalanceExecutedView.of(record, None if ticket is None else ticket.id))
