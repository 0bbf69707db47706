"""The fund as it stands."""

from fastapi import APIRouter, Response

from paimon.application.books.overview import read_overview
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
    responses=answers("overview", 401, 503),
)
async def overview(house: HouseDep, _user: SignedInUser) -> Response:
    """A scheduled read of the contracts at one final block; answering it never calls the chain."""
    data = await read_overview(house.redis, house.database)
    if data is None:
        raise NoSnapshot
    return splice(data)
