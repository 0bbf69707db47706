"""Who holds the fund, and which transactions touched it: exactly, at any recorded block."""

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from paimon.application.vault.chain_transactions import TransactionFilter, list_transactions
from paimon.application.vault.holders import list_holders
from paimon.domain.kernel.chain import ContractName
from paimon.gateway.rest.dependencies import BlockDep, HouseDep, SignedInUser
from paimon.gateway.rest.envelope import DatedListing, Envelope, StampView
from paimon.gateway.rest.errors import InvalidInput
from paimon.gateway.rest.list_responses import AskedDep, answer_list, listing
from paimon.gateway.rest.openapi import answers, file_too
from paimon.gateway.rest.schema import AddressText
from paimon.gateway.rest.validation_messages import EVENT_NAME
from paimon.gateway.rest.views.chain_transactions import ChainTransactionView
from paimon.gateway.rest.views.holders import HolderView, RegisterView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(tags=["fund"])

_HOLDERS: Final = listing("holders", HolderView, Envelope[RegisterView])
_TRANSACTIONS: Final = listing("transactions", ChainTransactionView, Envelope[DatedListing[ChainTransactionView]])


@router.get(
    "/holders",
    summary="Holders with their shares and what they are worth, largest first",
    response_model=_HOLDERS.envelope,
    responses=file_too(_HOLDERS, answers("holders", 400, 401, 503)),
)
async def holders(
    house: HouseDep,
    _user: SignedInUser,
    asked: AskedDep,
    block: BlockDep,
    holder: Annotated[AddressText | None, Query(description="only this one")] = None,
) -> Any:
    """Exact at any recorded block. The worth is at the NAV of the last snapshot until that block, named in `valuation`."""

    async def read(session: ReadSession, page: PageRequest) -> RegisterView:
        return RegisterView.of(await list_holders(session, page, block=block, holder=holder))

    return await answer_list(house, asked, _HOLDERS, read)


@router.get(
    "/transactions",
    summary="The chain's transactions that touched the fund, latest first, with what each did",
    response_model=_TRANSACTIONS.envelope,
    responses=file_too(_TRANSACTIONS, answers("transactions", 400, 401, 503)),
)
async def transactions(
    house: HouseDep,
    _user: SignedInUser,
    asked: AskedDep,
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
        return DatedListing[ChainTransactionView].page(page_shown, as_of=StampView.of(at))

    return await answer_list(house, asked, _TRANSACTIONS, read)
