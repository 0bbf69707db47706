"""What waits for a person: reactions that were given up, logs in quarantine, and what is decided about them."""

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query

from paimon.application.quarantine.queries import (
    get_outbox_message,
    get_unapplied_log,
    list_decisions_for,
    list_outbox_messages,
    list_unapplied_logs,
)
from paimon.application.quarantine.store import LogPosition, OutboxMessageRef, Target, evaluate
from paimon.application.quarantine.submit_decision import SubmitDecision, submit_decision
from paimon.composition import AppContext
from paimon.domain.events.log_status import LogStatus
from paimon.domain.operations.outbox import OutboxPriority, OutboxStatus
from paimon.domain.risk.operator_decision import LOG_DECISIONS, OperatorDecisionKind, decision_document
from paimon.domain.user.roles import User
from paimon.gateway.rest.dependencies import ContextDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import answers, with_csv
from paimon.gateway.rest.validation_messages import REQUEST_ID
from paimon.gateway.rest.views.operator_decisions import (
    OperatorDecisionBody,
    OperatorDecisionView,
    OutboxMessageDetailView,
    OutboxMessageView,
    QuarantinedLogDetailView,
    QuarantinedLogView,
    Signing,
)
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/system", tags=["system"])

_OUTBOX_MESSAGES: Final = paged_table("outbox", OutboxMessageView, Envelope[Listing[OutboxMessageView]])
_QUARANTINE: Final = paged_table("quarantine", QuarantinedLogView, Envelope[Listing[QuarantinedLogView]])
_FAILURES: Final = (400, 401, 403, 404, 409, 413, 415, 503)

OutboxId = Annotated[int, Path(alias="outboxId", ge=1, lt=2**63)]
BlockNumber = Annotated[int, Path(alias="blockNumber", ge=0, lt=2**63)]
LogIndex = Annotated[int, Path(alias="logIndex", ge=0, lt=2**31)]


@router.get(
    "/outbox",
    summary="Reactions, latest first",
    response_model=_OUTBOX_MESSAGES.envelope,
    responses=with_csv(_OUTBOX_MESSAGES, answers("outbox", 400, 401, 503)),
)
async def outbox_messages(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    state: Annotated[OutboxStatus | None, Query(description="dead: given up after the last try")] = None,
    priority: Annotated[OutboxPriority | None, Query()] = None,
) -> Any:
    async def read(session: ReadSession, page: PageRequest) -> Listing[OutboxMessageView]:
        now = await database_now(session)
        found = await list_outbox_messages(session, page, state=state, priority=priority)
        return Listing[OutboxMessageView].page(found.mapped(lambda each: OutboxMessageView.of(each, now)))

    return await list_response(context, list_request, _OUTBOX_MESSAGES, read)


@router.get("/outbox/{outboxId}", summary="One reaction", responses=answers("outbox_message", 400, 401, 404, 503))
async def outbox_message(outbox_id: OutboxId, context: ContextDep, _user: SignedInUser) -> Envelope[OutboxMessageDetailView]:
    """`signing` has the document that makes it due again, once it was given up. Replace `message.reason` by your own before
    signing, and send the same reason with the signature."""
    target = OutboxMessageRef(outbox_id)
    async with context.database.read() as session:
        found = await get_outbox_message(session, outbox_id)
        decided = await list_decisions_for(session, target)
        signing = await _signing(context, session, target, (OperatorDecisionKind.REPLAY_MESSAGE,))
        now = await database_now(session)
    return Envelope[OutboxMessageDetailView](data=OutboxMessageDetailView.of_detail(found, decided, signing, now))


@router.post("/outbox/{outboxId}/replay", summary="Make it due again", responses=answers("decision", *_FAILURES))
async def replay(
    outbox_id: OutboxId, body: OperatorDecisionBody, context: ContextDep, user: SignedInUser
) -> Envelope[OperatorDecisionView]:
    """With all its tries before it, as if it were new. Reactions look at the present state, so a late one does no harm."""
    return await _submit(context, user, OperatorDecisionKind.REPLAY_MESSAGE, OutboxMessageRef(outbox_id), body)


@router.get(
    "/quarantine",
    summary="Logs that could not be read or applied, and those left out, latest first",
    response_model=_QUARANTINE.envelope,
    responses=with_csv(_QUARANTINE, answers("quarantine", 400, 401, 503)),
)
async def quarantine(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    status: Annotated[Literal[LogStatus.QUARANTINED, LogStatus.SKIPPED] | None, Query()] = None,
    request_id: Annotated[str | None, Query(alias="requestId", pattern=REQUEST_ID)] = None,
) -> Any:
    async def read(session: ReadSession, page: PageRequest) -> Listing[QuarantinedLogView]:
        request_number = None if request_id is None else int(request_id)
        found = await list_unapplied_logs(session, page, context.contracts.abis, status=status, request_id=request_number)
        return Listing[QuarantinedLogView].page(found.mapped(QuarantinedLogView.of))

    return await list_response(context, list_request, _QUARANTINE, read)


@router.get("/quarantine/{blockNumber}/{logIndex}", summary="One log", responses=answers("quarantined_log", 400, 401, 404, 503))
async def log(
    block_number: BlockNumber, log_index: LogIndex, context: ContextDep, _user: SignedInUser
) -> Envelope[QuarantinedLogDetailView]:
    """`signing` has the documents that release or skip it, as far as either makes sense now."""
    target = LogPosition(block_number, log_index)
    async with context.database.read() as session:
        found = await get_unapplied_log(session, target, context.contracts.abis)
        decided = await list_decisions_for(session, target)
        signing = await _signing(context, session, target, LOG_DECISIONS)
    return Envelope[QuarantinedLogDetailView](data=QuarantinedLogDetailView.of_detail(found, decided, signing))


@router.post(
    "/quarantine/{blockNumber}/{logIndex}/release",
    status_code=202,
    summary="Read and apply it again",
    responses=answers("decision", *_FAILURES, status=202),
)
async def release(
    block_number: BlockNumber, log_index: LogIndex, body: OperatorDecisionBody, context: ContextDep, user: SignedInUser
) -> Envelope[OperatorDecisionView]:
    """After the ABI or the code was mended. A worker rebuilds the books and applies the log in its place; what it makes due
    becomes due then, once. A log that still does not apply stays in quarantine, with the new reason as the outcome."""
    return await _submit(context, user, OperatorDecisionKind.RELEASE_LOG, LogPosition(block_number, log_index), body)


@router.post(
    "/quarantine/{blockNumber}/{logIndex}/skip",
    status_code=202,
    summary="Leave it out for good",
    responses=answers("decision", *_FAILURES, status=202),
)
async def skip(
    block_number: BlockNumber, log_index: LogIndex, body: OperatorDecisionBody, context: ContextDep, user: SignedInUser
) -> Envelope[OperatorDecisionView]:
    """It stays left out in every replay, until somebody releases it."""
    return await _submit(context, user, OperatorDecisionKind.SKIP_LOG, LogPosition(block_number, log_index), body)


async def _submit(
    context: AppContext, user: User, kind: OperatorDecisionKind, target: Target, body: OperatorDecisionBody
) -> Envelope[OperatorDecisionView]:
    command = SubmitDecision(kind, target, user, body.reason, body.signed)
    decision = await submit_decision(command, database=context.database, rules=context.signing_rules)
    return Envelope[OperatorDecisionView](data=OperatorDecisionView.of(decision))


async def _signing(context: AppContext, session: ReadSession, target: Target, kinds: Iterable[OperatorDecisionKind]) -> Signing:
    rules, now = context.signing_rules, await database_now(session)
    evaluated = {kind: await evaluate(session, kind, target) for kind in kinds}
    return {
        kind: decision_document(kind, result.target, "", rules.new_terms(now), rules.scope)
        for kind, result in evaluated.items()
        if result.rejection_reason is None
    }
