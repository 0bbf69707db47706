"""Endpoints of the outbox: list messages, show one, replay a dead-lettered one."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query

from paimon.application.quarantine.queries import get_outbox_message, list_decisions_for, list_outbox_messages
from paimon.application.quarantine.store import OutboxMessageRef
from paimon.domain.operations.outbox import OutboxPriority, OutboxStatus
from paimon.domain.risk.operator_decision import OperatorDecisionKind
from paimon.gateway.rest.dependencies import ContextDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import documented_responses, with_csv
from paimon.gateway.rest.routes.operator_decisions import documents, submit
from paimon.gateway.rest.views.operator_decisions import OperatorDecisionView
from paimon.gateway.rest.views.outbox import OutboxMessageDetailView, OutboxMessageView
from paimon.gateway.rest.views.signed_action import SignedActionBody
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/system/outbox", tags=["system"])

_MESSAGES: Final = paged_table("outbox", OutboxMessageView, Envelope[Listing[OutboxMessageView]])

MessageId = Annotated[int, Path(alias="messageId", ge=1, lt=2**63)]


@router.get(
    "",
    operation_id="listOutboxMessages",
    summary="List outbox messages, latest first",
    response_model=_MESSAGES.envelope,
    responses=with_csv(_MESSAGES, documented_responses("outbox", 400, 401, 503)),
)
async def index(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    status: Annotated[OutboxStatus | None, Query(description="DEAD_LETTERED: its last attempt failed")] = None,
    priority: Annotated[OutboxPriority | None, Query()] = None,
) -> Any:
    async def read(session: ReadSession, page: PageRequest) -> Listing[OutboxMessageView]:
        found = await list_outbox_messages(session, page, status=status, priority=priority)
        return Listing[OutboxMessageView].page(found.mapped(OutboxMessageView.of))

    return await list_response(context, list_request, _MESSAGES, read)


@router.get(
    "/{messageId}",
    operation_id="getOutboxMessage",
    summary="Show an outbox message",
    responses=documented_responses("outbox_message", 400, 401, 404, 503),
)
async def detail(message_id: MessageId, context: ContextDep, _user: SignedInUser) -> Envelope[OutboxMessageDetailView]:
    """`signing` holds the document that replays the message, once it is dead-lettered.

    Replace `message.reason` by your own before signing, and send that reason with the signature.
    """
    target = OutboxMessageRef(message_id)
    async with context.database.read() as session:
        message = await get_outbox_message(session, message_id)
        decisions = await list_decisions_for(session, target)
        signing = await documents(context, session, target, (OperatorDecisionKind.REPLAY_MESSAGE,))
    return Envelope[OutboxMessageDetailView](data=OutboxMessageDetailView.of_detail(message, decisions, signing))


@router.post(
    "/{messageId}/replay",
    operation_id="replayOutboxMessage",
    summary="Replay a dead-lettered message",
    responses=documented_responses("decision", 400, 401, 403, 404, 409, 413, 415, 503),
)
async def replay(
    message_id: MessageId, body: SignedActionBody, context: ContextDep, user: SignedInUser
) -> Envelope[OperatorDecisionView]:
    """Make the message due again with all its attempts, as if it were new.

    Handlers act on the present state, so handling a message late does no harm.
    """
    return await submit(context, user, OperatorDecisionKind.REPLAY_MESSAGE, OutboxMessageRef(message_id), body)
