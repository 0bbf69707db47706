"""Who holds the fund, and which transactions touched it: exactly, at any recorded block."""

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from paimon.application.vault.chain_transactions import TransactionFilter, list_transactions
from paimon.application.vault.holders import list_holders
from paimon.domain.kernel.chain import ContractName
from paimon.gateway.rest.dependencies import BlockDep, ContextDep, SignedInUser
from paimon.gateway.rest.envelope import BlockStampView, DatedListing, Envelope
from paimon.gateway.rest.errors import InvalidInput
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import answers, with_csv
from paimon.gateway.rest.schema import AddressText
from paimon.gateway.rest.validation_messages import EVENT_NAME
from paimon.gateway.rest.views.chain_transactions import ChainTransactionView
from paimon.gateway.rest.views.holders import HolderRegisterView, HolderView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(tags=["fund"])

_HOLDERS: Final = paged_table("holders", HolderView, Envelope[HolderRegisterView])
_TRANSACTIONS: Final = paged_table("transactions", ChainTransactionView, Envelope[DatedListing[ChainTransactionView]])


@router.get(
    "/holders",
    summary="Holders with their shares and what they are worth, largest first",
    response_model=_HOLDERS.envelope,
    responses=with_csv(_HOLDERS, answers("holders", 400, 401, 503)),
)
async def holders(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    block: BlockDep,
    holder: Annotated[AddressText | None, Query(description="only this one")] = None,
) -> Any:
    """Exact at any recorded block. The worth is at the NAV of the last snapshot until that block, named in `valuation`."""

    async def read(session: ReadSession, page: PageRequest) -> HolderRegisterView:
        return HolderRegisterView.of(await list_holders(session, page, block=block, holder=holder))

    return await list_response(context, list_request, _HOLDERS, read)


@router.get(
    "/transactions",
    summary="The chain's transactions that touched the fund, latest first, with what each did",
    response_model=_TRANSACTIONS.envelope,
    responses=with_csv(_TRANSACTIONS, answers("transactions", 400, 401, 503)),
)
async def transactions(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    block: BlockDep,
    contract: Annotated[ContractName | None, Query(description="in which it spoke")] = None,
    event: Annotated[str | None, Query(pattern=EVENT_NAME, description="name of an event in it")] = None,
    start_date: Annotated[date | None, Query(alias="startDate", description="UTC day of the block, included")] = None,
    end_date: Annotated[date | None, Query(alias="endDate", description="UTC day of the block, included")] = None,
) -> Any:
    """Everyone's transactions, this house's among them; as of a block, those until then."""
    if start_date is not None and end_date is not None and start_date > end_date:
        raise InvalidInput("endDate", "endDate lies before startDate")
    wanted = TransactionFilter(contract, event, start_date, end_date)

    async def read(session: ReadSession, page: PageRequest) -> DatedListing[ChainTransactionView]:
        at, found = await list_transactions(session, page, wanted, block=block)
        page_shown = found.mapped(ChainTransactionView.of)
        return DatedListing[ChainTransactionView].page(page_shown, as_of=BlockStampView.of(at))

    return await list_response(context, list_request, _TRANSACTIONS, read)
