"""Endpoint of the holder register at any recorded block."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from paimon.application.vault.queries import list_holders
from paimon.gateway.rest.dependencies import BlockDep, ContextDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import documented_responses, with_csv
from paimon.gateway.rest.schema import AddressText
from paimon.gateway.rest.views.holders import HolderRegisterView, HolderView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/fund", tags=["fund"])

_HOLDERS: Final = paged_table("holders", HolderView, Envelope[HolderRegisterView])


@router.get(
    "/holders",
    operation_id="listHolders",
    summary="List holders with their shares and value, largest first",
    response_model=_HOLDERS.envelope,
    responses=with_csv(_HOLDERS, documented_responses("holders", 400, 401, 503)),
)
async def holders(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    block: BlockDep,
    holder: Annotated[AddressText | None, Query(description="only this holder")] = None,
) -> Any:
    """Shares are exact at any recorded block. Values use the NAV of the last snapshot at or before it, see `valuation`."""

    async def read(session: ReadSession, page: PageRequest) -> HolderRegisterView:
        return HolderRegisterView.of(await list_holders(session, page, block=block, holder=holder))

    return await list_response(context, list_request, _HOLDERS, read)
