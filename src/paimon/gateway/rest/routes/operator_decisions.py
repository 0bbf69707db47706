"""What waits for a person: reactions that were given up, logs in quarantine, and what is decided about them."""

import secrets
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query

from paimon.application.quarantine.queries import (
    ReactionState,
    get_reaction,
    get_set_aside,
    list_reactions,
    list_set_aside,
    remedies_for,
)
from paimon.application.quarantine.store import Place, Reaction, Target, judge
from paimon.application.quarantine.submit_decision import AskRemedy, SignedWords, ask_remedy
from paimon.composition import House
from paimon.domain.kernel.chain import Hash32
from paimon.domain.risk.operator_decision import LOG_REMEDIES, RemedyKind, remedy_document
from paimon.domain.user.roles import User
from paimon.gateway.rest.dependencies import HouseDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import AskedDep, answer_list, listing
from paimon.gateway.rest.openapi import answers, file_too
from paimon.gateway.rest.validation_messages import REQUEST_ID
from paimon.gateway.rest.views.operator_decisions import (
    ReactionFileView,
    ReactionView,
    RemedyBody,
    RemedyView,
    SetAsideFileView,
    SetAsideView,
    Signing,
)
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.derived import LogStatus
from paimon.infrastructure.database.models.ops.outbox import OutboxPriority
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/system", tags=["system"])

_REACTIONS: Final = listing("outbox", ReactionView, Envelope[Listing[ReactionView]])
_SET_ASIDE: Final = listing("quarantine", SetAsideView, Envelope[Listing[SetAsideView]])
_FAILURES: Final = (400, 401, 403, 404, 409, 413, 415, 503)

OutboxId = Annotated[int, Path(alias="outboxId", ge=1, lt=2**63)]
BlockNumber = Annotated[int, Path(alias="blockNumber", ge=0, lt=2**63)]
LogIndex = Annotated[int, Path(alias="logIndex", ge=0, lt=2**31)]


@router.get(
    "/outbox",
    summary="Reactions, latest first",
    response_model=_REACTIONS.envelope,
    responses=file_too(_REACTIONS, answers("outbox", 400, 401, 503)),
)
async def reactions(
    house: HouseDep,
    _user: SignedInUser,
    asked: AskedDep,
    state: Annotated[ReactionState | None, Query(description="dead: given up after the last try")] = None,
    priority: Annotated[OutboxPriority | None, Query()] = None,
) -> Any:
    async def read(session: ReadSession, page: PageRequest) -> Listing[ReactionView]:
        now = await database_now(session)
        found = await list_reactions(session, page, state=state, priority=priority)
        return Listing[ReactionView].page(found.mapped(lambda each: ReactionView.of(each, now)))

    return await answer_list(house, asked, _REACTIONS, read)


@router.get("/outbox/{outboxId}", summary="One reaction", responses=answers("outbox_row", 400, 401, 404, 503))
async def reaction(outbox_id: OutboxId, house: HouseDep, _user: SignedInUser) -> Envelope[ReactionFileView]:
    """`signing` has the document that makes it due again, once it was given up. Replace `message.reason` by your own before
    signing, and send the same reason with the signature."""
    target = Reaction(outbox_id)
    async with house.database.read() as session:
        found = await get_reaction(session, outbox_id)
        decided = await remedies_for(session, target)
        signing = await _signing(house, session, target, (RemedyKind.REPLAY_REACTION,))
        now = await database_now(session)
    return Envelope[ReactionFileView](data=ReactionFileView.of_file(found, decided, signing, now))


@router.post("/outbox/{outboxId}/replay", summary="Make it due again", responses=answers("remedy", *_FAILURES))
async def replay(outbox_id: OutboxId, body: RemedyBody, house: HouseDep, user: SignedInUser) -> Envelope[RemedyView]:
    """With all its tries before it, as if it were new. Reactions look at the present state, so a late one does no harm."""
    return await _ask(house, user, RemedyKind.REPLAY_REACTION, Reaction(outbox_id), body)


@router.get(
    "/quarantine",
    summary="Logs that could not be read or applied, and those left out, latest first",
    response_model=_SET_ASIDE.envelope,
    responses=file_too(_SET_ASIDE, answers("quarantine", 400, 401, 503)),
)
async def quarantine(
    house: HouseDep,
    _user: SignedInUser,
    asked: AskedDep,
    status: Annotated[Literal[LogStatus.QUARANTINED, LogStatus.SKIPPED] | None, Query()] = None,
    request_id: Annotated[str | None, Query(alias="requestId", pattern=REQUEST_ID)] = None,
) -> Any:
    async def read(session: ReadSession, page: PageRequest) -> Listing[SetAsideView]:
        wanted = None if request_id is None else int(request_id)
        found = await list_set_aside(session, page, house.contracts.abis, status=status, request_id=wanted)
        return Listing[SetAsideView].page(found.mapped(SetAsideView.of))

    return await answer_list(house, asked, _SET_ASIDE, read)


@router.get("/quarantine/{blockNumber}/{logIndex}", summary="One log", responses=answers("quarantined_log", 400, 401, 404, 503))
async def log(
    block_number: BlockNumber, log_index: LogIndex, house: HouseDep, _user: SignedInUser
) -> Envelope[SetAsideFileView]:
    """`signing` has the documents that release or skip it, as far as either makes sense now."""
    target = Place(block_number, log_index)
    async with house.database.read() as session:
        found = await get_set_aside(session, target, house.contracts.abis)
        decided = await remedies_for(session, target)
        signing = await _signing(house, session, target, LOG_REMEDIES)
    return Envelope[SetAsideFileView](data=SetAsideFileView.of_file(found, decided, signing))


@router.post(
    "/quarantine/{blockNumber}/{logIndex}/release",
    status_code=202,
    summary="Read and apply it again",
    responses=answers("remedy", *_FAILURES, status=202),
)
async def release(
    block_number: BlockNumber, log_index: LogIndex, body: RemedyBody, house: HouseDep, user: SignedInUser
) -> Envelope[RemedyView]:
    """After the ABI or the code was mended. A worker rebuilds the books and applies the log in its place; what it makes due
    becomes due then, once. A log that still does not apply stays in quarantine, with the new reason as the outcome."""
    return await _ask(house, user, RemedyKind.RELEASE_LOG, Place(block_number, log_index), body)


@router.post(
    "/quarantine/{blockNumber}/{logIndex}/skip",
    status_code=202,
    summary="Leave it out for good",
    responses=answers("remedy", *_FAILURES, status=202),
)
async def skip(
    block_number: BlockNumber, log_index: LogIndex, body: RemedyBody, house: HouseDep, user: SignedInUser
) -> Envelope[RemedyView]:
    """It stays left out in every replay, until somebody releases it."""
    return await _ask(house, user, RemedyKind.SKIP_LOG, Place(block_number, log_index), body)


async def _ask(house: House, user: User, kind: RemedyKind, target: Target, body: RemedyBody) -> Envelope[RemedyView]:
    ttl_seconds_max = house.settings.approval.vote_ttl_seconds_max
    words = SignedWords(body.nonce, body.expires_at, body.signature, house.vote_scope, ttl_seconds_max)
    remedy = await ask_remedy(AskRemedy(kind, target, user, body.reason, words), database=house.database)
    return Envelope[RemedyView](data=RemedyView.of(remedy))


async def _signing(house: House, session: ReadSession, target: Target, kinds: Iterable[RemedyKind]) -> Signing:
    expires_at = await database_now(session) + timedelta(seconds=house.settings.approval.vote_ttl_seconds_max)
    judged = {kind: await judge(session, kind, target) for kind in kinds}
    return {
        kind: remedy_document(
            kind, each.subject, "", nonce=Hash32(secrets.token_bytes(32)), expires_at=expires_at, scope=house.vote_scope
        )
        for kind, each in judged.items()
        if each.why_not is None
    }
