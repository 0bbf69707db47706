"""The transaction desk: everything this house set out to send, the keys it sends with, and what people tell it to do."""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query

from paimon.application.transactions.operator.queries import IntentFilter, deeds_about, get_intent, get_wallet, list_intents
from paimon.application.transactions.operator.submit_action import AskDeed, ask_deed, judge
from paimon.application.transactions.queries import WalletView, list_wallets
from paimon.composition import House
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.transaction.lifecycle import IntentKind, IntentStatus
from paimon.domain.transaction.operator_action import INTENT_DEEDS, DeedKind, deed_document
from paimon.domain.user.roles import User
from paimon.gateway.rest.dependencies import HouseDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import AskedDep, answer_list, listing
from paimon.gateway.rest.openapi import answers, file_too
from paimon.gateway.rest.schema import AddressText
from paimon.gateway.rest.views.transactions import IntentView
from paimon.gateway.rest.views.wallets import DeedBody, DeedView, IntentFileView, SendingWalletView, Signing, WalletFileView
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.paging import PageRequest, page_of
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/desk", tags=["desk"])

_INTENTS: Final = listing("intents", IntentView, Envelope[Listing[IntentView]])
_WALLETS: Final = listing("wallets", SendingWalletView, Envelope[Listing[SendingWalletView]])

_DEED_ANSWERS: Final = answers("desk_deed", 400, 401, 403, 404, 409, 413, 415, 503, status=202)

IntentId = Annotated[UUID, Path(alias="intentId")]
WalletAddress = Annotated[AddressText, Path(alias="address")]


@router.get(
    "/intents",
    summary="Intents with their transactions, latest first",
    response_model=_INTENTS.envelope,
    responses=file_too(_INTENTS, answers("desk_intents", 400, 401, 503)),
)
async def index(
    house: HouseDep,
    _user: SignedInUser,
    asked: AskedDep,
    status: Annotated[IntentStatus | None, Query()] = None,
    kind: Annotated[IntentKind | None, Query()] = None,
    wallet: Annotated[AddressText | None, Query()] = None,
    is_open: Annotated[bool | None, Query(alias="open", description="true: not ended yet; false: ended")] = None,
) -> Any:
    wanted = IntentFilter(status, kind, wallet, is_open)

    async def read(session: ReadSession, page: PageRequest) -> Listing[IntentView]:
        found = await list_intents(session, page, wanted)
        return Listing[IntentView].page(found.mapped(IntentView.of))

    return await answer_list(house, asked, _INTENTS, read)


@router.get("/intents/{intentId}", summary="One intent with its history", responses=answers("desk_intent", 400, 401, 404, 503))
async def detail(intent_id: IntentId, house: HouseDep, _user: SignedInUser) -> Envelope[IntentFileView]:
    """`signing` holds the EIP-712 document of every deed that makes sense now, with a fresh nonce and expiry. Replace
    `message.reason` by your own before signing, and send the same reason with the signature."""
    async with house.database.read() as session:
        intent = await get_intent(session, intent_id)
        deeds = await deeds_about(session, intent_id)
        signing = await _signing(house, session, intent_id, INTENT_DEEDS)
    return Envelope[IntentFileView](data=IntentFileView.of_file(intent, deeds, signing))


@router.post("/intents/{intentId}/speed-up", status_code=202, summary="Replace it now, for more", responses=_DEED_ANSWERS)
async def speed_up(intent_id: IntentId, body: DeedBody, house: HouseDep, user: SignedInUser) -> Envelope[DeedView]:
    """The same nonce with higher fees, within the cap, before the usual time is up."""
    return await _ask(house, user, DeedKind.SPEED_UP, intent_id, body)


@router.post("/intents/{intentId}/cancel", status_code=202, summary="Give it up", responses=_DEED_ANSWERS)
async def cancel(intent_id: IntentId, body: DeedBody, house: HouseDep, user: SignedInUser) -> Envelope[DeedView]:
    """Before sending it ends at once. In flight, a self-send competes for its nonce, and what is mined decides. What a person
    cancelled is queued again by a person only."""
    return await _ask(house, user, DeedKind.CANCEL, intent_id, body)


@router.post("/intents/{intentId}/retry", status_code=202, summary="Try it again", responses=_DEED_ANSWERS)
async def retry(intent_id: IntentId, body: DeedBody, house: HouseDep, user: SignedInUser) -> Envelope[DeedView]:
    """What ended without its effect is queued once more under its next key, also when all automatic tries are used up."""
    return await _ask(house, user, DeedKind.RETRY, intent_id, body)


@router.get(
    "/wallets",
    summary="The sending keys, as their drivers last saw them",
    response_model=_WALLETS.envelope,
    responses=file_too(_WALLETS, answers("desk_wallets", 400, 401, 503)),
)
async def wallets(house: HouseDep, _user: SignedInUser, asked: AskedDep) -> Any:
    async def read(session: ReadSession, page: PageRequest) -> Listing[SendingWalletView]:
        now = await database_now(session)
        found = page_of(await list_wallets(session), page)
        return Listing[SendingWalletView].page(found.mapped(lambda each: _shown(house, each, now)))

    return await answer_list(house, asked, _WALLETS, read)


@router.get("/wallets/{address}", summary="One sending key", responses=answers("desk_wallet", 400, 401, 404, 503))
async def wallet(address: WalletAddress, house: HouseDep, _user: SignedInUser) -> Envelope[WalletFileView]:
    """`signing` has the document that clears its trouble, while it is in trouble."""
    async with house.database.read() as session:
        found = await get_wallet(session, address)
        deeds = await deeds_about(session, address)
        signing = await _signing(house, session, address, (DeedKind.CLEAR_TROUBLE,))
        now = await database_now(session)
    least = house.settings.sending.low_balance_wei.of(found.name)
    return Envelope[WalletFileView](data=WalletFileView.of_file(found, deeds, signing, low_balance_wei=least, now=now))


@router.post(
    "/wallets/{address}/clear-trouble", status_code=202, summary="Its trouble has been dealt with", responses=_DEED_ANSWERS
)
async def clear_trouble(address: WalletAddress, body: DeedBody, house: HouseDep, user: SignedInUser) -> Envelope[DeedView]:
    """What is signed names the trouble in its own words: should it be another by then, it stays."""
    return await _ask(house, user, DeedKind.CLEAR_TROUBLE, address, body)


async def _ask(house: House, user: User, kind: DeedKind, target: UUID | Address, body: DeedBody) -> Envelope[DeedView]:
    deed = await ask_deed(
        AskDeed(kind, target, user, body.reason, body.nonce, body.expires_at, body.signature),
        database=house.database,
        scope=house.vote_scope,
        ttl_seconds_max=house.settings.approval.vote_ttl_seconds_max,
    )
    return Envelope[DeedView](data=DeedView.of(deed))


async def _signing(house: House, session: ReadSession, target: UUID | Address, kinds: Iterable[DeedKind]) -> Signing:
    expires_at = await database_now(session) + timedelta(seconds=house.settings.approval.vote_ttl_seconds_max)
    judged = {kind: await judge(session, kind, target) for kind in kinds}
    return {
        kind: deed_document(
            kind, subject, "", nonce=Hash32(secrets.token_bytes(32)), expires_at=expires_at, scope=house.vote_scope
        )
        for kind, (subject, why_not) in judged.items()
        if why_not is None
    }


def _shown(house: House, found: WalletView, now: datetime) -> SendingWalletView:
    return SendingWalletView.of(found, low_balance_wei=house.settings.sending.low_balance_wei.of(found.name), now=now)
