"""Endpoints of sending wallets: list them, show one, clear a fault."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path

from paimon.application.transactions.operator.queries import get_wallet, list_actions
from paimon.application.transactions.queries import WalletSummary, list_wallets
from paimon.composition import AppContext
from paimon.domain.transaction.operator_action import ActionKind
from paimon.gateway.rest.dependencies import ContextDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import documented_responses, with_csv
from paimon.gateway.rest.routes.operator_actions import documents, submit
from paimon.gateway.rest.schema import AddressText
from paimon.gateway.rest.views.operator_actions import OperatorActionView
from paimon.gateway.rest.views.signed_action import SignedActionBody
from paimon.gateway.rest.views.wallets import SendingWalletView, WalletDetailView
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.paging import PageRequest, paginate
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/wallets", tags=["wallets"])

_WALLETS: Final = paged_table("wallets", SendingWalletView, Envelope[Listing[SendingWalletView]])

WalletAddress = Annotated[AddressText, Path(alias="address")]


@router.get(
    "",
    operation_id="listWallets",
    summary="List the sending wallets",
    response_model=_WALLETS.envelope,
    responses=with_csv(_WALLETS, documented_responses("wallets", 400, 401, 503)),
)
async def index(context: ContextDep, _user: SignedInUser, list_request: ListRequestDep) -> Any:
    """Each wallet is shown as its driver last read it on chain."""

    async def read(session: ReadSession, page: PageRequest) -> Listing[SendingWalletView]:
        now = await database_now(session)
        found = paginate(await list_wallets(session), page)
        return Listing[SendingWalletView].page(found.mapped(lambda wallet: _view(context, wallet, now)))

    return await list_response(context, list_request, _WALLETS, read)


@router.get(
    "/{address}",
    operation_id="getWallet",
    summary="Show a sending wallet",
    responses=documented_responses("wallet", 400, 401, 404, 503),
)
async def detail(address: WalletAddress, context: ContextDep, _user: SignedInUser) -> Envelope[WalletDetailView]:
    """`signing` holds the document that clears the wallet's fault, while it has one."""
    async with context.database.read() as session:
        wallet = await get_wallet(session, address)
        actions = await list_actions(session, address)
        signing = await documents(context, session, address, (ActionKind.CLEAR_FAULT,))
        now = await database_now(session)
    low_balance_wei = context.settings.sending.low_balance_wei.for_wallet(wallet.name)
    return Envelope[WalletDetailView](
        data=WalletDetailView.of_detail(wallet, actions, signing, low_balance_wei=low_balance_wei, now=now)
    )


@router.post(
    "/{address}/clear-fault",
    status_code=202,
    operation_id="clearWalletFault",
    summary="Clear a wallet's fault",
    responses=documented_responses("operator_action", 400, 401, 403, 404, 409, 413, 415, 503, status=202),
)
async def clear_fault(
    address: WalletAddress, body: SignedActionBody, context: ContextDep, user: SignedInUser
) -> Envelope[OperatorActionView]:
    """The signed document contains the fault's text: a fault that has changed by then is not cleared."""
    return await submit(context, user, ActionKind.CLEAR_FAULT, address, body)


def _view(context: AppContext, wallet: WalletSummary, now: datetime) -> SendingWalletView:
    low_balance_wei = context.settings.sending.low_balance_wei.for_wallet(wallet.name)
    return SendingWalletView.of(wallet, low_balance_wei=low_balance_wei, now=now)
