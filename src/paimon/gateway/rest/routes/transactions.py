"""The transaction desk: everything this house set out to send, the keys it sends with, and what people tell it to do."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query

from paimon.application.transactions.operator.queries import IntentFilter, get_intent, get_wallet, list_actions, list_intents
from paimon.application.transactions.operator.submit_action import SubmitAction, evaluate_action, submit_action
from paimon.application.transactions.queries import WalletSummary, list_wallets
from paimon.composition import AppContext
from paimon.domain.kernel.chain import Address
from paimon.domain.transaction.lifecycle import IntentKind, IntentStatus
from paimon.domain.transaction.operator_action import INTENT_ACTIONS, ActionKind, action_document
from paimon.domain.user.roles import User
from paimon.gateway.rest.dependencies import ContextDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import answers, with_csv
from paimon.gateway.rest.schema import AddressText
from paimon.gateway.rest.views.transactions import IntentView
from paimon.gateway.rest.views.wallets import (
    IntentDetailView,
    OperatorActionBody,
    OperatorActionView,
    SendingWalletView,
    Signing,
    WalletDetailView,
)
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.paging import PageRequest, paginate
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/desk", tags=["desk"])

_INTENTS: Final = paged_table("intents", IntentView, Envelope[Listing[IntentView]])
_WALLETS: Final = paged_table("wallets", SendingWalletView, Envelope[Listing[SendingWalletView]])

_ACTION_RESPONSES: Final = answers("operator_action", 400, 401, 403, 404, 409, 413, 415, 503, status=202)

IntentId = Annotated[UUID, Path(alias="intentId")]
WalletAddress = Annotated[AddressText, Path(alias="address")]


@router.get(
    "/intents",
    summary="Intents with their transactions, latest first",
    response_model=_INTENTS.envelope,
    responses=with_csv(_INTENTS, answers("intents", 400, 401, 503)),
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
    wanted = IntentFilter(status, kind, wallet, is_open)

    async def read(session: ReadSession, page: PageRequest) -> Listing[IntentView]:
        found = await list_intents(session, page, wanted)
        return Listing[IntentView].page(found.mapped(IntentView.of))

    return await list_response(context, list_request, _INTENTS, read)


@router.get("/intents/{intentId}", summary="One intent with its history", responses=answers("intent", 400, 401, 404, 503))
async def detail(intent_id: IntentId, context: ContextDep, _user: SignedInUser) -> Envelope[IntentDetailView]:
    """`signing` holds the EIP-712 document of every deed that makes sense now, with a fresh nonce and expiry. Replace
    `message.reason` by your own before signing, and send the same reason with the signature."""
    async with context.database.read() as session:
        intent = await get_intent(session, intent_id)
        actions = await list_actions(session, intent_id)
        signing = await _signing(context, session, intent_id, INTENT_ACTIONS)
    return Envelope[IntentDetailView](data=IntentDetailView.of_detail(intent, actions, signing))


@router.post("/intents/{intentId}/speed-up", status_code=202, summary="Replace it now, for more", responses=_ACTION_RESPONSES)
async def speed_up(
    intent_id: IntentId, body: OperatorActionBody, context: ContextDep, user: SignedInUser
) -> Envelope[OperatorActionView]:
    """The same nonce with higher fees, within the cap, before the usual time is up."""
    return await _request(context, user, ActionKind.SPEED_UP, intent_id, body)


@router.post("/intents/{intentId}/cancel", status_code=202, summary="Give it up", responses=_ACTION_RESPONSES)
async def cancel(
    intent_id: IntentId, body: OperatorActionBody, context: ContextDep, user: SignedInUser
) -> Envelope[OperatorActionView]:
    """Before sending it ends at once. In flight, a self-send competes for its nonce, and what is mined decides. What a person
    cancelled is queued again by a person only."""
    return await _request(context, user, ActionKind.CANCEL, intent_id, body)


@router.post("/intents/{intentId}/retry", status_code=202, summary="Try it again", responses=_ACTION_RESPONSES)
async def retry(
    intent_id: IntentId, body: OperatorActionBody, context: ContextDep, user: SignedInUser
) -> Envelope[OperatorActionView]:
    """What ended without its effect is queued once more under its next key, also when all automatic tries are used up."""
    return await _request(context, user, ActionKind.RETRY, intent_id, body)


@router.get(
    "/wallets",
    summary="The sending keys, as their drivers last saw them",
    response_model=_WALLETS.envelope,
    responses=with_csv(_WALLETS, answers("wallets", 400, 401, 503)),
)
async def wallets(context: ContextDep, _user: SignedInUser, list_request: ListRequestDep) -> Any:
    async def read(session: ReadSession, page: PageRequest) -> Listing[SendingWalletView]:
        now = await database_now(session)
        found = paginate(await list_wallets(session), page)
        return Listing[SendingWalletView].page(found.mapped(lambda each: _shown(context, each, now)))

    return await list_response(context, list_request, _WALLETS, read)


@router.get("/wallets/{address}", summary="One sending key", responses=answers("wallet", 400, 401, 404, 503))
async def wallet(address: WalletAddress, context: ContextDep, _user: SignedInUser) -> Envelope[WalletDetailView]:
    """`signing` has the document that clears its trouble, while it is in trouble."""
    async with context.database.read() as session:
        found = await get_wallet(session, address)
        actions = await list_actions(session, address)
        signing = await _signing(context, session, address, (ActionKind.CLEAR_FAULT,))
        now = await database_now(session)
    low_balance_wei = context.settings.sending.low_balance_wei.for_wallet(found.name)
    return Envelope[WalletDetailView](
        data=WalletDetailView.of_detail(found, actions, signing, low_balance_wei=low_balance_wei, now=now)
    )


@router.post(
    "/wallets/{address}/clear-fault", status_code=202, summary="Its trouble has been dealt with", responses=_ACTION_RESPONSES
)
async def clear_fault(
    address: WalletAddress, body: OperatorActionBody, context: ContextDep, user: SignedInUser
) -> Envelope[OperatorActionView]:
    """What is signed names the trouble in its own words: should it be another by then, it stays."""
    return await _request(context, user, ActionKind.CLEAR_FAULT, address, body)


async def _request(
    context: AppContext, user: User, kind: ActionKind, target: UUID | Address, body: OperatorActionBody
) -> Envelope[OperatorActionView]:
    action = await submit_action(
        SubmitAction(kind, target, user, body.reason, body.signed),
        database=context.database,
        rules=context.signing_rules,
    )
    return Envelope[OperatorActionView](data=OperatorActionView.of(action))


async def _signing(context: AppContext, session: ReadSession, target: UUID | Address, kinds: Iterable[ActionKind]) -> Signing:
    rules, now = context.signing_rules, await database_now(session)
    evaluated = {kind: await evaluate_action(session, kind, target) for kind in kinds}
    return {
        kind: action_document(kind, action_target, "", rules.new_terms(now), rules.scope)
        for kind, (action_target, rejection_reason) in evaluated.items()
        if rejection_reason is None
    }


def _shown(context: AppContext, found: WalletSummary, now: datetime) -> SendingWalletView:
    return SendingWalletView.of(found, low_balance_wei=context.settings.sending.low_balance_wei.for_wallet(found.name), now=now)
