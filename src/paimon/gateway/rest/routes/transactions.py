"""Endpoints of intents: list them, show one, speed up, cancel or retry one."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query

from paimon.application.transactions.operator.queries import IntentFilter, get_intent, list_actions, list_intents
from paimon.domain.transaction.lifecycle import IntentKind, IntentStatus
from paimon.domain.transaction.operator_action import INTENT_ACTIONS, ActionKind
from paimon.gateway.rest.dependencies import ContextDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import documented_responses, with_csv
from paimon.gateway.rest.routes.operator_actions import documents, submit
from paimon.gateway.rest.schema import AddressText
from paimon.gateway.rest.views.operator_actions import OperatorActionView
from paimon.gateway.rest.views.signed_action import SignedActionBody
from paimon.gateway.rest.views.transactions import IntentDetailView, IntentView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/transactions/intents", tags=["transactions"])

_INTENTS: Final = paged_table("intents", IntentView, Envelope[Listing[IntentView]])
_ACTION_RESPONSES: Final = documented_responses("operator_action", 400, 401, 403, 404, 409, 413, 415, 503, status=202)

IntentId = Annotated[UUID, Path(alias="intentId")]


@router.get(
    "",
    operation_id="listIntents",
    summary="List intents with their transactions, latest first",
    response_model=_INTENTS.envelope,
    responses=with_csv(_INTENTS, documented_responses("intents", 400, 401, 503)),
)
async def index(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    status: Annotated[IntentStatus | None, Query()] = None,
    kind: Annotated[IntentKind | None, Query()] = None,
    wallet: Annotated[AddressText | None, Query()] = None,
    is_open: Annotated[bool | None, Query(alias="open", description="true: not ended yet; false: ended")] = None,
) -> Any:
    filters = IntentFilter(status, kind, wallet, is_open)

    async def read(session: ReadSession, page: PageRequest) -> Listing[IntentView]:
        found = await list_intents(session, page, filters)
        return Listing[IntentView].page(found.mapped(IntentView.of_intent))

    return await list_response(context, list_request, _INTENTS, read)


@router.get(
    "/{intentId}",
    operation_id="getIntent",
    summary="Show an intent",
    responses=documented_responses("intent", 400, 401, 404, 503),
)
async def detail(intent_id: IntentId, context: ContextDep, _user: SignedInUser) -> Envelope[IntentDetailView]:
    """`signing` holds the EIP-712 document of every action that is possible now, with a fresh nonce and expiry.

    Replace `message.reason` by your own before signing, and send that reason with the signature.
    """
    async with context.database.read() as session:
        intent = await get_intent(session, intent_id)
        actions = await list_actions(session, intent_id)
        signing = await documents(context, session, intent_id, INTENT_ACTIONS)
    return Envelope[IntentDetailView](data=IntentDetailView.of_detail(intent, actions, signing))


@router.post(
    "/{intentId}/speed-up",
    status_code=202,
    operation_id="speedUpIntent",
    summary="Speed up a transaction",
    responses=_ACTION_RESPONSES,
)
async def speed_up(
    intent_id: IntentId, body: SignedActionBody, context: ContextDep, user: SignedInUser
) -> Envelope[OperatorActionView]:
    """Replace the transaction now by one with the same nonce and higher fees, within the fee cap."""
    return await submit(context, user, ActionKind.SPEED_UP, intent_id, body)


@router.post(
    "/{intentId}/cancel", status_code=202, operation_id="cancelIntent", summary="Cancel an intent", responses=_ACTION_RESPONSES
)
async def cancel(
    intent_id: IntentId, body: SignedActionBody, context: ContextDep, user: SignedInUser
) -> Envelope[OperatorActionView]:
    """An intent that is not sent yet ends at once. In flight, a self-send competes for its nonce; the mined one decides.

    Only an operator can queue a cancelled intent again.
    """
    return await submit(context, user, ActionKind.CANCEL, intent_id, body)


@router.post(
    "/{intentId}/retry", status_code=202, operation_id="retryIntent", summary="Retry an intent", responses=_ACTION_RESPONSES
)
async def retry(
    intent_id: IntentId, body: SignedActionBody, context: ContextDep, user: SignedInUser
) -> Envelope[OperatorActionView]:
    """Queue an intent that ended without its effect once more, under its next key, also after all automatic retries."""
    return await submit(context, user, ActionKind.RETRY, intent_id, body)
