"""NAV over time."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Response

from paimon.application.books.nav import HistoryQuery, Interval, read_history
from paimon.gateway.rest.dependencies import HouseDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope, splice
from paimon.gateway.rest.errors import InvalidInput
from paimon.gateway.rest.openapi import answers
from paimon.gateway.rest.views.nav import NavHistoryView

router = APIRouter(prefix="/fund/nav", tags=["fund"])


@router.get(
    "/history",
    summary="Official NAV by the hour, day or week, oldest first",
    response_model=Envelope[NavHistoryView],
    responses=answers("nav_history", 400, 401, 503),
)
async def history(
    house: HouseDep,
    _user: SignedInUser,
    start_date: Annotated[
        date | None, Query(alias="startDate", description="UTC day, included; 30 days before the end unless given")
    ] = None,
    end_date: Annotated[date | None, Query(alias="endDate", description="UTC day, included")] = None,
    interval: Annotated[Interval, Query()] = Interval.DAILY,
) -> Response:
    """Each point is the last of its bucket, computed from fresh parts of one block; the contract's figures stand beside."""
    if start_date is not None and end_date is not None and start_date > end_date:
        raise InvalidInput("endDate", "endDate lies before startDate")
    query = HistoryQuery(start_date, end_date, interval)
    return splice(await read_history(house.database, house.redis, query, points_max=house.settings.nav.history_points_max))
