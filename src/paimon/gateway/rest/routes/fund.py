"""The fund as it stands."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from paimon.application.books.overview import read_overview, read_overview_at
from paimon.gateway.rest.dependencies import HouseDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope, splice
from paimon.gateway.rest.errors import NoSnapshot
from paimon.gateway.rest.openapi import answers
from paimon.gateway.rest.views.fund import OverviewView

router = APIRouter(prefix="/fund", tags=["fund"])


@router.get(
    "/overview",
    summary="Assets, NAV, tiers and liabilities at the last snapshot's block",
    response_model=Envelope[OverviewView],
    responses=answers("overview", 400, 401, 404, 503),
)
async def overview(
    house: HouseDep,
    _user: SignedInUser,
    block: Annotated[int | None, Query(ge=0, lt=2**63, description="as of this block; as of now unless given")] = None,
) -> Response:
    """A scheduled read of the contracts at one final block; answering it never calls the chain."""
    if block is not None:
        return splice(await read_overview_at(house.database, block))
    data = await read_overview(house.redis, house.database)
    if data is None:
        raise NoSnapshot
    return splice(data)
