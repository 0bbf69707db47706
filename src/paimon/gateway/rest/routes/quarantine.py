"""Endpoints of the quarantine: list logs that are not applied, show one, release or skip it."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query

from paimon.application.common.log_id import LogId
from paimon.application.quarantine.queries import get_unapplied_log, list_decisions_for, list_unapplied_logs
from paimon.domain.events.log_status import LogStatus
from paimon.domain.risk.operator_decision import LOG_DECISIONS, OperatorDecisionKind
from paimon.gateway.rest.dependencies import ContextDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import documented_responses, with_csv
from paimon.gateway.rest.routes.operator_decisions import documents, submit
from paimon.gateway.rest.validation_messages import REQUEST_ID
from paimon.gateway.rest.views.operator_decisions import OperatorDecisionView
from paimon.gateway.rest.views.quarantine import QuarantinedLogDetailView, QuarantinedLogView
from paimon.gateway.rest.views.signed_action import SignedActionBody
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/system/quarantine", tags=["system"])

_LOGS: Final = paged_table("quarantine", QuarantinedLogView, Envelope[Listing[QuarantinedLogView]])
_DECISION_RESPONSES: Final = documented_responses("decision", 400, 401, 403, 404, 409, 413, 415, 503, status=202)

BlockNumber = Annotated[int, Path(alias="blockNumber", ge=0, lt=2**63)]
LogIndex = Annotated[int, Path(alias="logIndex", ge=0, lt=2**31)]


@router.get(
    "",
    operation_id="listQuarantinedLogs",
    summary="List quarantined and skipped logs, latest first",
    response_model=_LOGS.envelope,
    responses=with_csv(_LOGS, documented_responses("quarantine", 400, 401, 503)),
)
async def index(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    status: Annotated[Literal[LogStatus.QUARANTINED, LogStatus.SKIPPED] | None, Query()] = None,
    request_id: Annotated[str | None, Query(alias="requestId", pattern=REQUEST_ID)] = None,
) -> Any:
    request_number = None if request_id is None else int(request_id)

    async def read(session: ReadSession, page: PageRequest) -> Listing[QuarantinedLogView]:
        found = await list_unapplied_logs(session, page, context.contracts.abis, status=status, request_id=request_number)
        return Listing[QuarantinedLogView].page(found.mapped(QuarantinedLogView.of))

    return await list_response(context, list_request, _LOGS, read)


@router.get(
    "/{blockNumber}/{logIndex}",
    operation_id="getQuarantinedLog",
    summary="Show a quarantined log",
    responses=documented_responses("quarantined_log", 400, 401, 404, 503),
)
async def detail(
    block_number: BlockNumber, log_index: LogIndex, context: ContextDep, _user: SignedInUser
) -> Envelope[QuarantinedLogDetailView]:
    """`signing` holds the documents that release or skip the log, those that are possible now."""
    position = LogId(block_number, log_index)
    async with context.database.read() as session:
        log = await get_unapplied_log(session, position, context.contracts.abis)
        decisions = await list_decisions_for(session, position)
        signing = await documents(context, session, position, LOG_DECISIONS)
    return Envelope[QuarantinedLogDetailView](data=QuarantinedLogDetailView.of_detail(log, decisions, signing))


@router.post(
    "/{blockNumber}/{logIndex}/release",
    status_code=202,
    operation_id="releaseQuarantinedLog",
    summary="Release a quarantined log",
    responses=_DECISION_RESPONSES,
)
async def release(
    block_number: BlockNumber, log_index: LogIndex, body: SignedActionBody, context: ContextDep, user: SignedInUser
) -> Envelope[OperatorDecisionView]:
    """Decode and apply the log again, after the ABI or the code was fixed.

    A worker rebuilds the projections with the log applied at its position, and the log's outbox messages become due then,
    once. A log that still cannot be applied stays in quarantine, and the decision's outcome is the new reason.
    """
    return await submit(context, user, OperatorDecisionKind.RELEASE_LOG, LogId(block_number, log_index), body)


@router.post(
    "/{blockNumber}/{logIndex}/skip",
    status_code=202,
    operation_id="skipQuarantinedLog",
    summary="Skip a quarantined log",
    responses=_DECISION_RESPONSES,
)
async def skip(
    block_number: BlockNumber, log_index: LogIndex, body: SignedActionBody, context: ContextDep, user: SignedInUser
) -> Envelope[OperatorDecisionView]:
    """Leave the log out of the projections and of every replay, until an operator releases it."""
    return await submit(context, user, OperatorDecisionKind.SKIP_LOG, LogId(block_number, log_index), body)
