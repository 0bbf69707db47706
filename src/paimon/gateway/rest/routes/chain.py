"""Endpoint of chain transactions that touched the fund."""

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from paimon.application.vault.chain_transactions import TransactionFilter
from paimon.application.vault.queries import list_transactions
from paimon.domain.kernel.chain import ContractName
from paimon.gateway.rest.dependencies import BlockDep, ContextDep, SignedInUser
from paimon.gateway.rest.envelope import BlockStampView, DatedListing, Envelope
from paimon.gateway.rest.errors import InvalidInput
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import documented_responses, with_csv
from paimon.gateway.rest.validation_messages import EVENT_NAME
from paimon.gateway.rest.views.chain import ChainTransactionView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/chain", tags=["chain"])

_TRANSACTIONS: Final = paged_table("chain-transactions", ChainTransactionView, Envelope[DatedListing[ChainTransactionView]])


@router.get(
    "/transactions",
    operation_id="listChainTransactions",
    summary="List the chain's transactions that touched the fund, latest first",
    response_model=_TRANSACTIONS.envelope,
    responses=with_csv(_TRANSACTIONS, documented_responses("chain_transactions", 400, 401, 503)),
)
async def transactions(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    block: BlockDep,
    contract: Annotated[ContractName | None, Query(description="only transactions with a log of this contract")] = None,
    event: Annotated[str | None, Query(pattern=EVENT_NAME, description="only transactions with an event of this name")] = None,
    start_date: Annotated[date | None, Query(alias="startDate", description="UTC day of the block, included")] = None,
    end_date: Annotated[date | None, Query(alias="endDate", description="UTC day of the block, included")] = None,
) -> Any:
    """Transactions of every sender, this system's included. With `block`, only those up to that block."""
    if start_date is not None and end_date is not None and start_date > end_date:
        raise InvalidInput("endDate", "endDate is before startDate")
    filters = TransactionFilter(contract, event, start_date, end_date)

    async def read(session: ReadSession, page: PageRequest) -> DatedListing[ChainTransactionView]:
        at, found = await list_transactions(session, page, filters, block=block)
        return DatedListing[ChainTransactionView].page(found.mapped(ChainTransactionView.of), as_of=BlockStampView.of(at))

    return await list_response(context, list_request, _TRANSACTIONS, read)
