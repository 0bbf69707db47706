"""Endpoints of the NAV history and of NAV attribution."""

from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from paimon.application.nav.attribution import attribute_range
from paimon.application.nav.history import HistoryQuery, Interval
from paimon.application.nav.ranges import RangeEnd
from paimon.gateway.fund_documents import FundDocuments
from paimon.gateway.rest.conditional import IfNoneMatch, encoded_response
from paimon.gateway.rest.dependencies import ContextDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.errors import InvalidInput
from paimon.gateway.rest.list_responses import CsvTable, ResponseFormat, ResponseFormatDep, unpaged_response
from paimon.gateway.rest.openapi import conditional, documented_responses, with_csv
from paimon.gateway.rest.views.nav import NavAttributionView, NavComponentRowView, NavHistoryView, NavPointView

router = APIRouter(prefix="/fund/nav", tags=["fund"])

_HISTORY: Final = CsvTable("nav-history", NavPointView, Envelope[NavHistoryView], lambda data: data.points)
_ATTRIBUTION: Final = CsvTable(
    "nav-explain", NavComponentRowView, Envelope[NavAttributionView], lambda data: data.component_rows
)


@router.get(
    "/history",
    operation_id="listNavHistory",
    summary="List official NAV points by hour, day or week, oldest first",
    response_model=_HISTORY.envelope,
    responses=with_csv(_HISTORY, conditional(documented_responses("nav_history", 400, 401, 503))),
)
async def history(
    context: ContextDep,
    _user: SignedInUser,
    response_format: ResponseFormatDep,
    if_none_match: IfNoneMatch,
    start_date: Annotated[
        date | None, Query(alias="startDate", description="UTC day, included; 30 days before the end unless given")
    ] = None,
    end_date: Annotated[date | None, Query(alias="endDate", description="UTC day, included")] = None,
    interval: Annotated[Interval, Query()] = Interval.DAILY,
) -> Any:
    """Each point is the last of its interval, computed from figures of one block, with the contract's own figures beside it."""
    if start_date is not None and end_date is not None and start_date > end_date:
        raise InvalidInput("endDate", "endDate is before startDate")
    query = HistoryQuery(start_date, end_date, interval)
    documents = FundDocuments(context.database, context.redis)
    encoded = await documents.read_history(query, points_max=context.settings.nav.history_points_max)
    if response_format is ResponseFormat.JSON:
        return encoded_response(encoded, if_none_match)
    return await unpaged_response(context, response_format, _HISTORY, NavHistoryView.model_validate_json(encoded))


@router.get(
    "/explain",
    operation_id="explainNav",
    summary="Explain the change of NAV between two snapshots",
    response_model=_ATTRIBUTION.envelope,
    responses=with_csv(_ATTRIBUTION, documented_responses("nav_attribution", 400, 401, 404, 503)),
)
async def attribution(
    context: ContextDep,
    _user: SignedInUser,
    response_format: ResponseFormatDep,
    start_block: Annotated[int | None, Query(alias="from", ge=0, lt=2**63, description="block; or give startDate")] = None,
    end_block: Annotated[int | None, Query(alias="to", ge=0, lt=2**63, description="block; the newest unless given")] = None,
    start_date: Annotated[date | None, Query(alias="startDate", description="from the beginning of this UTC day")] = None,
    end_date: Annotated[date | None, Query(alias="endDate", description="to the end of this UTC day")] = None,
) -> Any:
    """Each end is the newest snapshot at or before the given block or day; for the fund's first day, its first snapshot.

    The lines add up exactly. A change without a log is shown as `unexplained`, never hidden in rounding.
    """
    if start_block is None and start_date is None:
        raise InvalidInput("from", "give a block as from, or a day as startDate")
    if start_block is not None and start_date is not None:
        raise InvalidInput("from", "from and startDate are both given; give one of them")
    if end_block is not None and end_date is not None:
        raise InvalidInput("to", "to and endDate are both given; give one of them, or neither for the newest snapshot")
    start = RangeEnd(start_block, datetime.combine(start_date, time.min, UTC) if start_date else None)
    end = RangeEnd(end_block, datetime.combine(end_date, time.max, UTC) if end_date else None)
    result = await attribute_range(context.database, start, end, steps_max=context.settings.nav.attribution_intervals_max)
    return await unpaged_response(context, response_format, _ATTRIBUTION, NavAttributionView.of(result))
