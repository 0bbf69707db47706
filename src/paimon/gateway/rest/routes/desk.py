"""The transaction desk: everything this house set out to send, and the keys it sends with."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query

from paimon.application.transaction_desk.queries import IntentFilter, get_intent, get_wallet, list_intents
from paimon.application.transactions.queries import WalletView, list_wallets
from paimon.composition import House
from paimon.domain.transaction import IntentKind, IntentStatus
from paimon.gateway.rest.dependencies import HouseDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.openapi import answers, file_too
from paimon.gateway.rest.schema import AddressText
from paimon.gateway.rest.tables import AskedDep, answer_list, listing
from paimon.gateway.rest.views.desk import SendingWalletView
from paimon.gateway.rest.views.transactions import IntentView
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.paging import PageRequest, page_of
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/desk", tags=["desk"])

_INTENTS: Final = listing("intents", IntentView, Envelope[Listing[IntentView]])
_WALLETS: Final = listing("wallets", SendingWalletView, Envelope[Listing[SendingWalletView]])

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
async def detail(intent_id: IntentId, house: HouseDep, _user: SignedInUser) -> Envelope[IntentView]:
    async with house.database.read() as session:
        intent = await get_intent(session, intent_id)
    return Envelope[IntentView](data=IntentView.of(intent))


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
async def wallet(address: WalletAddress, house: HouseDep, _user: SignedInUser) -> Envelope[SendingWalletView]:
    async with house.database.read() as session:
        found = await get_wallet(session, address)
        now = await database_now(session)
    return Envelope[SendingWalletView](data=_shown(house, found, now))


def _shown(house: House, found: WalletView, now: datetime) -> SendingWalletView:
    return SendingWalletView.of(found, low_balance_wei=house.settings.sending.low_balance_wei.of(found.name), now=now)
