"""Endpoints of the fund at one block: overview, tiers, assets, fees; and of events that are not final."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from paimon.application.event_listener.record.queries import list_pending_logs
from paimon.application.nav.as_of import no_snapshot_yet, snapshot_as_of
from paimon.application.vault.fund_lists import list_assets, read_fees
from paimon.domain.asset.tier import Tier
from paimon.gateway.fund_documents import FundDocuments
from paimon.gateway.rest.conditional import IfNoneMatch, encoded_response
from paimon.gateway.rest.dependencies import BlockDep, ContextDep, SignedInUser
from paimon.gateway.rest.envelope import DatedListing, Envelope, Listing
from paimon.gateway.rest.list_responses import (
    CsvTable,
    ListRequestDep,
    ResponseFormatDep,
    list_response,
    paged_table,
    unpaged_response,
)
from paimon.gateway.rest.openapi import conditional, documented_responses, with_csv
from paimon.gateway.rest.views.fund import OverviewView
from paimon.gateway.rest.views.fund_lists import (
    AssetView,
    FeesView,
    FeeView,
    LayerStateView,
    LayersView,
    asset_listing,
)
from paimon.gateway.rest.views.pending_events import PendingEventView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/fund", tags=["fund"])

_LAYERS: Final = CsvTable("layers", LayerStateView, Envelope[LayersView], lambda data: data.layers)
_ASSETS: Final = paged_table("assets", AssetView, Envelope[DatedListing[AssetView]])
_PENDING_EVENTS: Final = paged_table("pending-events", PendingEventView, Envelope[Listing[PendingEventView]])
_FEES: Final = CsvTable("fees", FeeView, Envelope[FeesView], lambda data: data.fees)


@router.get(
    "/overview",
    operation_id="getFundOverview",
    summary="Show assets, NAV, tiers and liabilities at a snapshot's block",
    response_model=Envelope[OverviewView],
    responses=conditional(documented_responses("overview", 400, 401, 404, 503)),
)
async def overview(context: ContextDep, _user: SignedInUser, block: BlockDep, if_none_match: IfNoneMatch) -> Response:
    """A scheduled job reads the contracts at one final block; this endpoint never calls the chain."""
    documents = FundDocuments(context.database, context.redis)
    if block is not None:
        return encoded_response(await documents.read_overview_at(block), if_none_match)
    if (data := await documents.read_overview()) is None:
        async with context.database.read() as session:
            raise await no_snapshot_yet(session)
    return encoded_response(data, if_none_match)


@router.get(
    "/liquidity/layers",
    operation_id="listLiquidityLayers",
    summary="List the tiers with value, share of gross assets and allowed band",
    response_model=_LAYERS.envelope,
    responses=with_csv(_LAYERS, documented_responses("layers", 400, 401, 404, 503)),
)
async def layers(context: ContextDep, _user: SignedInUser, response_format: ResponseFormatDep, block: BlockDep) -> Any:
    async with context.database.read() as session:
        snapshot = await snapshot_as_of(session, block)
    return await unpaged_response(context, response_format, _LAYERS, LayersView.of(snapshot))


@router.get(
    "/assets",
    operation_id="listAssets",
    summary="List assets with balance, price, age of the price and value, by tier",
    response_model=_ASSETS.envelope,
    responses=with_csv(_ASSETS, documented_responses("assets", 400, 401, 404, 503)),
)
async def assets(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    block: BlockDep,
    tier: Tier | None = None,
    active: Annotated[bool | None, Query(description="only listed (true) or delisted (false) assets")] = None,
) -> Any:
    """The vault's cash is not in this list; the tiers show it."""

    async def read(session: ReadSession, page: PageRequest) -> DatedListing[AssetView]:
        return asset_listing(await list_assets(session, page, block=block, tier=tier, active=active))

    return await list_response(context, list_request, _ASSETS, read)


@router.get(
    "/fees",
    operation_id="listFees",
    summary="List fees by kind, with the high-water mark",
    response_model=_FEES.envelope,
    responses=with_csv(_FEES, documented_responses("fees", 400, 401, 404, 503)),
)
async def fees(context: ContextDep, _user: SignedInUser, response_format: ResponseFormatDep, block: BlockDep) -> Any:
    """Each accrual and payment is a log: see `GET /chain/transactions?event=ManagementFeeCollected`."""
    async with context.database.read() as session:
        snapshot, totals = await read_fees(session, block=block)
    return await unpaged_response(context, response_format, _FEES, FeesView.of(snapshot, totals))


@router.get(
    "/events/pending",
    operation_id="listPendingEvents",
    summary="List events of blocks that are not final, latest first",
    response_model=_PENDING_EVENTS.envelope,
    responses=with_csv(_PENDING_EVENTS, documented_responses("pending_events", 400, 401, 503)),
)
async def pending_events(context: ContextDep, _user: SignedInUser, list_request: ListRequestDep) -> Any:
    """No figure of the fund counts these events.

    An event leaves the list when its block is recorded or replaced by another block. The live channel `fund:pending-logs`
    says which of the two happened.
    """

    async def read(session: ReadSession, page: PageRequest) -> Listing[PendingEventView]:
        return Listing[PendingEventView].page((await list_pending_logs(session, page)).mapped(PendingEventView.of))

    return await list_response(context, list_request, _PENDING_EVENTS, read)
