"""Endpoints of risk events: list them, acknowledge one (also by a link), resolve one."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query

from paimon.application.risk_control.acknowledgement_links import acknowledge_by_link, create_link, show_link
from paimon.application.risk_control.queries import RiskFilter, list_events
from paimon.application.risk_control.triage import acknowledge_event, resolve_event
from paimon.composition import AppContext
from paimon.domain.risk.risk_event import RiskEvent, RiskKind, RiskStatus, Severity, parse_owner
from paimon.gateway.rest.dependencies import (
    ContextDep,
    OptionalAddress,
    RiskEventId,
    RiskHandler,
    SignedInUser,
    require_sign_in_allowed,
)
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import documented_responses, with_csv
from paimon.gateway.rest.views.risk import AcknowledgeBody, IssuedLinkView, LinkNoteBody, OpenLinkView, RiskEventView
from paimon.gateway.rest.views.signed_action import SignedActionBody
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/risk/events", tags=["risk"])

_EVENTS: Final = paged_table("risk-events", RiskEventView, Envelope[Listing[RiskEventView]])
LinkToken = Annotated[
    str, Header(alias="Paimon-Link", min_length=1, max_length=100, description="the token of a link, as it was issued")
]
_ACTION_ERRORS: Final = (400, 401, 403, 404, 409, 413, 415, 503)


@router.get(
    "",
    operation_id="listRiskEvents",
    summary="List risk events, latest first",
    response_model=_EVENTS.envelope,
    responses=with_csv(_EVENTS, documented_responses("risk_events", 400, 401, 503)),
)
async def index(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    status: Annotated[RiskStatus | None, Query()] = None,
    severity: Annotated[Severity | None, Query()] = None,
    kind: Annotated[RiskKind | None, Query()] = None,
) -> Any:
    async def read(session: ReadSession, page: PageRequest) -> Listing[RiskEventView]:
        now = await database_now(session)
        found = await list_events(session, page, RiskFilter(status, severity, kind))
        return Listing[RiskEventView].page(found.mapped(lambda event: RiskEventView.of(event, now)))

    return await list_response(context, list_request, _EVENTS, read)


@router.post(
    "/{eventId}/acknowledge",
    operation_id="acknowledgeRiskEvent",
    summary="Acknowledge a risk event or change its owner",
    responses=documented_responses("risk_event", *_ACTION_ERRORS),
)
async def acknowledge(
    event_id: RiskEventId, body: AcknowledgeBody, context: ContextDep, user: RiskHandler
) -> Envelope[RiskEventView]:
    """A second acknowledgement changes the owner. The cause remains: a material discrepancy still withholds NAV."""
    owner = None if body.owner is None else parse_owner(body.owner)
    event = await acknowledge_event(
        context.database, event_id, by=user, scope=context.signing_rules.scope, owner=owner, note=body.note
    )
    return Envelope[RiskEventView](data=await _view(context, event))


@router.post(
    "/{eventId}/resolve",
    operation_id="resolveRiskEvent",
    summary="Resolve a risk event",
    responses=documented_responses("risk_event", *_ACTION_ERRORS),
)
async def resolve(
    event_id: RiskEventId, body: SignedActionBody, context: ContextDep, user: SignedInUser
) -> Envelope[RiskEventView]:
    """Resolve the event as the operator signed it: the document of `resolve_risk_event` from `POST /signed-actions`.

    Its reason becomes the event's note. 409 for a kind that only a later check, a reconciliation or `paimon recover` resolves.
    `CONTRACT_CHANGED` takes `administer_fund` and the signature of a key: it lets signing go on.
    """
    event = await resolve_event(event_id, body.request_of(user), context.signing)
    return Envelope[RiskEventView](data=await _view(context, event))


@router.post(
    "/{eventId}/link",
    operation_id="createAcknowledgementLink",
    summary="Create a one-use link to acknowledge a risk event",
    responses=documented_responses("acknowledgement_link", 400, 401, 403, 404, 409, 503),
)
async def create_acknowledgement_link(
    event_id: RiskEventId, context: ContextDep, user: RiskHandler
) -> Envelope[IssuedLinkView]:
    """The link is the caller's own, for this event, once, within 24 hours. Keep it as a password: it needs no access token."""
    return Envelope[IssuedLinkView](data=IssuedLinkView.of(await create_link(context.database, event_id, person=user)))


@router.get(
    "/{eventId}/link",
    operation_id="getAcknowledgementLink",
    summary="Show what a link would acknowledge",
    dependencies=[Depends(require_sign_in_allowed)],
    responses=documented_responses("open_acknowledgement_link", 400, 401, 403, 503),
)
async def show_acknowledgement_link(
    event_id: RiskEventId, link: LinkToken, context: ContextDep, caller: OptionalAddress
) -> Envelope[OpenLinkView]:
    """Nothing changes, however often it is opened. No access token is needed; one of another person is refused."""
    scope = context.signing_rules.scope
    found = await show_link(context.database, event_id, link, caller=caller, scope=scope)
    async with context.database.read() as session:
        return Envelope[OpenLinkView](data=OpenLinkView.of(found, await database_now(session)))


@router.post(
    "/{eventId}/link/acknowledge",
    operation_id="acknowledgeByLink",
    summary="Acknowledge a risk event by a link",
    dependencies=[Depends(require_sign_in_allowed)],
    responses=documented_responses("risk_event", 400, 401, 403, 409, 413, 415, 503),
)
async def acknowledge_with_link(
    event_id: RiskEventId, link: LinkToken, body: LinkNoteBody, context: ContextDep, caller: OptionalAddress
) -> Envelope[RiskEventView]:
    """Acknowledge the event in the name of the link's person, who becomes its owner. The link works once."""
    event = await acknowledge_by_link(
        context.database,
        event_id,
        link,
        caller=caller,
        note=body.note,
        scope=context.signing_rules.scope,
    )
    return Envelope[RiskEventView](data=await _view(context, event))


async def _view(context: AppContext, event: RiskEvent) -> RiskEventView:
    async with context.database.read() as session:
        return RiskEventView.of(event, await database_now(session))
