"""Endpoints of plans: list them, show one, preview one, submit one."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query

from paimon.application.transactions.plans.preview import preview_plan
from paimon.application.transactions.plans.queries import PlanFilter, get_plan, list_plans
from paimon.application.transactions.plans.submit import submit_plan
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.gateway.rest.dependencies import ContextDep, PlanningUser, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import documented_responses, with_csv
from paimon.gateway.rest.views.plans import PlanBody, PlanDetailView, PlanView, PreviewView, SignedPlanBody
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/plans", tags=["plans"])

_PLANS: Final = paged_table("plans", PlanView, Envelope[Listing[PlanView]])

PlanId = Annotated[UUID, Path(alias="planId")]


@router.get(
    "",
    operation_id="listPlans",
    summary="List plans, latest first",
    response_model=_PLANS.envelope,
    responses=with_csv(_PLANS, documented_responses("plans", 400, 401, 503)),
)
async def index(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    wallet: Annotated[PlanWallet | None, Query()] = None,
    plan: Annotated[str | None, Query(description="only pieces of the plan with this name")] = None,
    is_open: Annotated[bool | None, Query(alias="open", description="true: not ended yet; false: ended")] = None,
) -> Any:
    filters = PlanFilter(wallet, plan, is_open)

    async def read(session: ReadSession, page: PageRequest) -> Listing[PlanView]:
        found = await list_plans(session, page, context.safe_context, filters)
        return Listing[PlanView].page(found.mapped(PlanView.of))

    return await list_response(context, list_request, _PLANS, read)


@router.get(
    "/{planId}",
    operation_id="getPlan",
    summary="Show a plan with what was signed",
    responses=documented_responses("plan", 400, 401, 404, 503),
)
async def detail(plan_id: PlanId, context: ContextDep, _user: SignedInUser) -> Envelope[PlanDetailView]:
    async with context.database.read() as session:
        return Envelope[PlanDetailView](data=PlanDetailView.of_detail(await get_plan(session, plan_id, context.safe_context)))


@router.post(
    "/preview",
    operation_id="previewPlan",
    summary="Preview a plan without writing anything",
    responses=documented_responses("plan_preview", 400, 401, 403, 409, 413, 415, 503),
)
async def preview(body: PlanBody, context: ContextDep, user: PlanningUser) -> Envelope[PreviewView]:
    """Show the wallet the plan needs, why no smaller one may send it, and each call's outcome.

    It is for those who may plan: the node simulates each call.

    Sign `signing` to submit the plan as previewed.
    """
    return Envelope[PreviewView](data=PreviewView.of(await preview_plan(body.to_request(user), context.plan_context)))


@router.post(
    "",
    status_code=202,
    operation_id="submitPlan",
    summary="Submit a plan",
    responses=documented_responses("plan", 400, 401, 403, 409, 413, 415, 503, status=202),
)
async def submit(body: SignedPlanBody, context: ContextDep, user: SignedInUser) -> Envelope[PlanDetailView]:
    """The hot wallet's plan is sent at once; a Safe's plan is proposed to its owners.

    If the plan needs another wallet by now, or its amount has changed, it is refused: preview it again.
    """
    plan = await submit_plan(body.to_request(user), body.to_signature(user), context.plan_context)
    async with context.database.write() as session:  # the primary: a replica may not have it yet
        return Envelope[PlanDetailView](data=PlanDetailView.of_detail(await get_plan(session, plan.id, context.safe_context)))
