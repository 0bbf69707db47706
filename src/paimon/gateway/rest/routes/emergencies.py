"""Endpoints of the emergency protocol: list and show emergencies, stand one down, decline a step, drill."""

from typing import Annotated, Final

from fastapi import APIRouter, Path

from paimon.application.emergency.people import decline_step, sign_drill_step, stand_down_emergency, start_drill
from paimon.application.emergency.queries import read_emergencies, read_emergency
from paimon.composition import AppContext
from paimon.domain.risk.emergency import StepKind
from paimon.gateway.rest.dependencies import ContextDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.openapi import documented_responses
from paimon.gateway.rest.views.emergencies import EmergenciesView, EmergencyDetailView
from paimon.gateway.rest.views.signed_action import SignedActionBody

router = APIRouter(prefix="/emergencies", tags=["risk"])

EmergencyId = Annotated[int, Path(alias="emergencyId", ge=1, lt=2**63)]
_Step = Annotated[StepKind, Path(alias="step")]
_ACTION_ERRORS: Final = (400, 401, 403, 404, 409, 413, 415, 503)


@router.get(
    "",
    operation_id="listEmergencies",
    summary="List emergencies and drills, latest first",
    responses=documented_responses("emergencies", 401, 503),
)
async def index(context: ContextDep, _user: SignedInUser) -> Envelope[EmergenciesView]:
    """The newest 100. At most one is open."""
    async with context.database.read() as session:
        return Envelope[EmergenciesView](data=EmergenciesView.of(await read_emergencies(session)))


@router.get(
    "/{emergencyId}",
    operation_id="getEmergency",
    summary="Show an emergency or a drill with what waits for whom, and its record",
    responses=documented_responses("emergency", 400, 401, 404, 503),
)
async def detail(emergency_id: EmergencyId, context: ContextDep, _user: SignedInUser) -> Envelope[EmergencyDetailView]:
    """A step's `request` is the plan that a person submits for it; its owners sign it as any other plan. A drill has none."""
    async with context.database.read() as session:
        found = await read_emergency(session, emergency_id, context.plan_context)
    return Envelope[EmergencyDetailView](data=EmergencyDetailView.of_detail(found))


@router.post(
    "/{emergencyId}/stand-down",
    operation_id="standDownEmergency",
    summary="Stand an emergency or a drill down",
    responses=documented_responses("emergency", *_ACTION_ERRORS),
)
async def stand_down(
    emergency_id: EmergencyId, body: SignedActionBody, context: ContextDep, user: SignedInUser
) -> Envelope[EmergencyDetailView]:
    """End it as a person signed it: `stand_down_emergency` of `POST /signed-actions`.

    What was paused or opened stays so. The same CRITICAL level declares no other emergency.
    """
    await stand_down_emergency(emergency_id, body.request_of(user), context.signing)
    return Envelope[EmergencyDetailView](data=await _view(context, emergency_id))


@router.post(
    "/{emergencyId}/steps/{step}/decline",
    operation_id="declineEmergencyStep",
    summary="Decline a step of an emergency",
    responses=documented_responses("emergency", *_ACTION_ERRORS),
)
async def decline(
    emergency_id: EmergencyId, step: _Step, body: SignedActionBody, context: ContextDep, user: SignedInUser
) -> Envelope[EmergencyDetailView]:
    """Decline it as a person signed it: `decline_emergency_step` of `POST /signed-actions`. A plan that was submitted for it
    stays its owners' to sign or to reject.
    """
    await decline_step(emergency_id, step, body.request_of(user), context.signing)
    return Envelope[EmergencyDetailView](data=await _view(context, emergency_id))


@router.post(
    "/drills",
    operation_id="startDrill",
    summary="Start a drill of the emergency protocol",
    responses=documented_responses("emergency", 400, 401, 403, 409, 413, 415, 503),
)
async def drill(body: SignedActionBody, context: ContextDep, user: SignedInUser) -> Envelope[EmergencyDetailView]:
    """Start it as a person signed it: `start_drill` of `POST /signed-actions`. People are alerted, and nothing is sent.

    409 while an emergency or another drill is under way.
    """
    number = await start_drill(body.request_of(user), context.signing, context.emergency_context)
    return Envelope[EmergencyDetailView](data=await _view(context, number))


@router.post(
    "/{emergencyId}/steps/{step}/sign",
    operation_id="signDrillStep",
    summary="Sign a step of a drill",
    responses=documented_responses("emergency", *_ACTION_ERRORS),
)
async def sign(
    emergency_id: EmergencyId, step: _Step, body: SignedActionBody, context: ContextDep, user: SignedInUser
) -> Envelope[EmergencyDetailView]:
    """Sign it as an owner of the cold Safe would: `sign_drill_step` of `POST /signed-actions`. Nothing is sent.

    With as many owners as the Safe needs, the step is done.
    """
    await sign_drill_step(emergency_id, step, body.request_of(user), context.signing, context.emergency_context)
    return Envelope[EmergencyDetailView](data=await _view(context, emergency_id))


async def _view(context: AppContext, emergency_id: int) -> EmergencyDetailView:
    async with context.database.write() as session:  # the primary: a replica may lag behind what was just decided
        return EmergencyDetailView.of_detail(await read_emergency(session, emergency_id, context.plan_context))
