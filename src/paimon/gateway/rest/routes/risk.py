"""Risk events: what was found wrong, and who takes it up."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from paimon.application.risk_control.queries import RiskFilter, list_events
from paimon.application.risk_control.triage import acknowledge_event, resolve_event
from paimon.composition import House
from paimon.domain.risk.risk_event import RiskEvent, RiskKind, RiskState, Severity, parse_owner
from paimon.gateway.rest.dependencies import HouseDep, RiskEventId, RiskHandler, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import AskedDep, answer_list, listing
from paimon.gateway.rest.openapi import answers, file_too
from paimon.gateway.rest.views.risk import AcknowledgeBody, ResolveBody, RiskEventView
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/risk/events", tags=["risk"])

_EVENTS: Final = listing("risk-events", RiskEventView, Envelope[Listing[RiskEventView]])
_DEED_ERRORS: Final = (400, 401, 403, 404, 409, 413, 415, 503)


@router.get(
    "",
    summary="Risk events, latest first",
    response_model=_EVENTS.envelope,
    responses=file_too(_EVENTS, answers("risk_events", 400, 401, 503)),
)
async def index(
    house: HouseDep,
    _user: SignedInUser,
    asked: AskedDep,
    state: Annotated[RiskState | None, Query()] = None,
    severity: Annotated[Severity | None, Query()] = None,
    kind: Annotated[RiskKind | None, Query()] = None,
) -> Any:
    async def read(session: ReadSession, page: PageRequest) -> Listing[RiskEventView]:
        now = await database_now(session)
        found = await list_events(session, page, RiskFilter(state, severity, kind))
        return Listing[RiskEventView].page(found.mapped(lambda each: RiskEventView.of(each, now)))

    return await answer_list(house, asked, _EVENTS, read)


@router.post(
    "/{eventId}/acknowledge", summary="Take an event up, or give it to somebody", responses=answers("risk_event", *_DEED_ERRORS)
)
async def acknowledge(
    event_id: RiskEventId, body: AcknowledgeBody, house: HouseDep, user: RiskHandler
) -> Envelope[RiskEventView]:
    """Acknowledged again, it changes its owner. What is acknowledged is still there: a material difference goes on
    withholding NAV."""
    owner = None if body.owner is None else parse_owner(body.owner)
    event = await acknowledge_event(house.database, event_id, by=user, owner=owner, note=body.note)
    return Envelope[RiskEventView](data=await _view(house, event))


@router.post("/{eventId}/resolve", summary="Declare an event settled", responses=answers("risk_event", *_DEED_ERRORS))
async def resolve(event_id: RiskEventId, body: ResolveBody, house: HouseDep, user: RiskHandler) -> Envelope[RiskEventView]:
    """409 for a difference of the books: the first comparison that does not find it any more resolves it by itself."""
    event = await resolve_event(house.database, event_id, by=user, note=body.note)
    return Envelope[RiskEventView](data=await _view(house, event))


async def _view(house: House, event: RiskEvent) -> RiskEventView:
    async with house.database.read() as session:
        return RiskEventView.of(event, await database_now(session))
