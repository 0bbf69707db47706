"""Endpoints of stand-ins: who decides approvals in another's place for a time."""

from typing import Annotated

from fastapi import APIRouter, Path

from paimon.application.approval_tickets.stand_ins import list_stand_ins
from paimon.application.approval_workflow.name_stand_in import NameStandIn, end_stand_in, name_stand_in, require_nameable
from paimon.gateway.rest.dependencies import ContextDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.openapi import documented_responses
from paimon.gateway.rest.views.signed_action import ActionDocumentView, SignedActionBody
from paimon.gateway.rest.views.stand_ins import SignedStandInBody, StandInBody, StandInsView, StandInView
from paimon.infrastructure.database.clock import database_now

router = APIRouter(prefix="/stand-ins", tags=["stand-ins"])

_StandInId = Annotated[int, Path(alias="standInId", ge=1, lt=2**63)]


@router.get(
    "", operation_id="listStandIns", summary="List the stand-ins", responses=documented_responses("stand_ins", 401, 403, 503)
)
async def index(_user: SignedInUser, context: ContextDep) -> Envelope[StandInsView]:
    async with context.database.read() as session:
        found = await list_stand_ins(session, context.signing_rules.scope)
        return Envelope[StandInsView](data=StandInsView.of(found, await database_now(session)))


@router.post(
    "/preview",
    operation_id="previewStandIn",
    summary="Get the document to sign for a stand-in",
    responses=documented_responses("stand_in_document", 400, 401, 403, 409, 413, 415, 503),
)
async def preview(body: StandInBody, user: SignedInUser, context: ContextDep) -> Envelope[ActionDocumentView]:
    """Nothing changes yet. Send the same to `submitTo`, with the signature, `message.nonce` and `message.expiresAt`."""
    pair, rules = body.pair_of(user), context.signing_rules
    async with context.database.write() as session:
        await require_nameable(session, pair, user, rules.scope)
        terms = rules.new_terms(await database_now(session))
    content = pair.content()
    return Envelope[ActionDocumentView](
        data=ActionDocumentView(
            statement=content.statement,
            typed_data=content.document(body.reason, terms, rules.scope),
            expires_at=terms.expires_at,
            submit_to="/stand-ins",
        )
    )


@router.post(
    "",
    operation_id="nameStandIn",
    summary="Name a stand-in for a time",
    responses=documented_responses("stand_in", 400, 401, 403, 409, 413, 415, 503),
)
async def name(body: SignedStandInBody, user: SignedInUser, context: ContextDep) -> Envelope[StandInView]:
    """The stand-in gets the caller's rights to decide approvals for that time. On every ticket the two count as one.

    A role on chain is not lent. 409 when one of the two is in another pair at that time.
    """
    command = NameStandIn(body.pair_of(user), user, body.reason, body.signed)
    named = await name_stand_in(command, context.signing, context.rpc)
    async with context.database.read() as session:
        return Envelope[StandInView](data=StandInView.of(named, await database_now(session)))


@router.post(
    "/{standInId}/end",
    operation_id="endStandIn",
    summary="End a stand-in before its time",
    responses=documented_responses("stand_in_ended", 400, 401, 403, 404, 409, 413, 415, 503),
)
async def end(
    stand_in_id: _StandInId, body: SignedActionBody, user: SignedInUser, context: ContextDep
) -> Envelope[StandInView]:
    """End it as one of the two, or a person who manages users, signed it: `end_stand_in` of `POST /signed-actions`."""
    ended = await end_stand_in(stand_in_id, body.request_of(user), context.signing)
    async with context.database.read() as session:
        return Envelope[StandInView](data=StandInView.of(ended, await database_now(session)))
