"""Plans at the transaction desk: what one would need, handing it in, and what became of it."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query

from paimon.application.transactions.plans.preview import preview_plan
from paimon.application.transactions.plans.queries import PlanFilter, get_plan, list_plans
from paimon.application.transactions.plans.submit import submit_plan
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.gateway.rest.dependencies import HouseDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import AskedDep, answer_list, listing
from paimon.gateway.rest.openapi import answers, file_too
from paimon.gateway.rest.views.plans import PlanBody, PlanFileView, PlanView, PreviewView, SignedPlanBody
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/desk/plans", tags=["desk"])

_PLANS: Final = listing("plans", PlanView, Envelope[Listing[PlanView]])

PlanId = Annotated[UUID, Path(alias="planId")]


@router.get(
    "",
    summary="Plans, latest first",
    response_model=_PLANS.envelope,
    responses=file_too(_PLANS, answers("plans", 400, 401, 503)),
)
async def index(
    house: HouseDep,
    _user: SignedInUser,
    asked: AskedDep,
    wallet: Annotated[PlanWallet | None, Query()] = None,
    plan: Annotated[str | None, Query(description="the plan's name: its pieces")] = None,
    is_open: Annotated[bool | None, Query(alias="open", description="true: not ended yet; false: ended")] = None,
) -> Any:
    wanted = PlanFilter(wallet, plan, is_open)

    async def read(session: ReadSession, page: PageRequest) -> Listing[PlanView]:
        found = await list_plans(session, page, house.safes, wanted)
        return Listing[PlanView].page(found.mapped(PlanView.of))

    return await answer_list(house, asked, _PLANS, read)


@router.get("/{planId}", summary="One plan with what was signed", responses=answers("plan", 400, 401, 404, 503))
async def detail(plan_id: PlanId, house: HouseDep, _user: SignedInUser) -> Envelope[PlanFileView]:
    async with house.database.read() as session:
        return Envelope[PlanFileView](data=PlanFileView.of_file(await get_plan(session, plan_id, house.safes)))


@router.post(
    "/preview",
    summary="What would this need? Nothing is written",
    responses=answers("plan_preview", 400, 401, 409, 413, 415, 503),
)
async def preview(body: PlanBody, house: HouseDep, _user: SignedInUser) -> Envelope[PreviewView]:
    """The wallet, why no smaller one, and how each call would end. `signing` is what to sign to have it carried out so."""
    return Envelope[PreviewView](data=PreviewView.of(await preview_plan(body.wanted(), house.plans)))


@router.post(
    "", status_code=202, summary="Hand it in", responses=answers("plan", 400, 401, 403, 409, 413, 415, 503, status=202)
)
async def submit(body: SignedPlanBody, house: HouseDep, user: SignedInUser) -> Envelope[PlanFileView]:
    """The hot wallet's is sent at once; a Safe's is proposed to its owners. Should another wallet be needed by now, or the
    calls count for something else, nothing happens: preview it again."""
    plan = await submit_plan(body.wanted(), body.consent(user), house.plans)
    async with house.database.write() as session:  # the primary: a replica may not have it yet
        return Envelope[PlanFileView](data=PlanFileView.of_file(await get_plan(session, plan.id, house.safes)))
