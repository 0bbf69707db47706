"""The fund at one block: overview, tiers, assets, fees."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from paimon.application.event_listener.record.pending_logs import list_pending_logs
from paimon.application.nav.as_of import NothingRecordedYet, read_overview_at, snapshot_as_of
from paimon.application.nav.overview import read_overview
from paimon.application.vault.fund_lists import list_assets, read_fees
from paimon.domain.asset.tier import Tier
from paimon.gateway.rest.dependencies import BlockDep, ContextDep, SignedInUser
from paimon.gateway.rest.envelope import DatedListing, Envelope, Listing, wrap_encoded
from paimon.gateway.rest.list_responses import (
    CsvTable,
    ListRequestDep,
    ResponseFormatDep,
    list_response,
    paged_table,
    unpaged_response,
)
from paimon.gateway.rest.openapi import answers, with_csv
from paimon.gateway.rest.views.fund import OverviewView
from paimon.gateway.rest.views.fund_lists import (
    AssetView,
    FeesView,
    FeeView,
    LayerStateView,
    LayersView,
    asset_listing,
)
from paimon.gateway.rest.views.pending_logs import PendingEventView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/fund", tags=["fund"])

_LAYERS: Final = CsvTable("layers", LayerStateView, Envelope[LayersView], lambda data: data.layers)
_ASSETS: Final = paged_table("assets", AssetView, Envelope[DatedListing[AssetView]])
_PENDING_EVENTS: Final = paged_table("unfinal-events", PendingEventView, Envelope[Listing[PendingEventView]])
_FEES: Final = CsvTable("fees", FeeView, Envelope[FeesView], lambda data: data.fees)


@router.get(
    "/overview",
    summary="Assets, NAV, tiers and liabilities at the last snapshot's block",
    response_model=Envelope[OverviewView],
    responses=answers("overview", 400, 401, 404, 503),
)
async def overview(context: ContextDep, _user: SignedInUser, block: BlockDep) -> Response:
    """A scheduled read of the contracts at one final block; answering it never calls the chain."""
    if block is not None:
        return wrap_encoded(await read_overview_at(context.database, block))
    data = await read_overview(context.redis, context.database)
    if data is None:
        raise NothingRecordedYet(
            "The fund's first snapshot has not been taken yet; a worker must be running. Try again shortly."
        )
    return wrap_encoded(data)


@router.get(
    "/liquidity/layers",
    summary="The tiers: value, share of gross assets, and the band each should be in",
    response_model=_LAYERS.envelope,
    responses=with_csv(_LAYERS, answers("layers", 400, 401, 404, 503)),
)
async def layers(context: ContextDep, _user: SignedInUser, response_format: ResponseFormatDep, block: BlockDep) -> Any:
    async with context.database.read() as session:
        snapshot = await snapshot_as_of(session, block)
    return await unpaged_response(context, response_format, _LAYERS, LayersView.of(snapshot))


@router.get(
    "/assets",
    summary="Every asset with balance, price, age of the price and worth, by tier",
    response_model=_ASSETS.envelope,
    responses=with_csv(_ASSETS, answers("assets", 400, 401, 404, 503)),
)
async def assets(
    context: ContextDep,
    _user: SignedInUser,
    list_request: ListRequestDep,
    block: BlockDep,
    tier: Tier | None = None,
    active: Annotated[bool | None, Query(description="on the list; both unless given")] = None,
) -> Any:
    """The vault's cash is no asset of the list: it stands with the tiers."""

    async def read(session: ReadSession, page: PageRequest) -> DatedListing[AssetView]:
        return asset_listing(await list_assets(session, page, block=block, tier=tier, active=active))

    return await list_response(context, list_request, _ASSETS, read)


@router.get(
    "/fees",
    summary="Fees by kind: accrued, paid, owed, pending; and the high-water mark",
    response_model=_FEES.envelope,
    responses=with_csv(_FEES, answers("fees", 400, 401, 404, 503)),
)
async def fees(context: ContextDep, _user: SignedInUser, response_format: ResponseFormatDep, block: BlockDep) -> Any:
    """Each step that led here is a log of a transaction: `GET /transactions?event=ManagementFeeCollected`."""
    async with context.database.read() as session:
        snapshot, totals = await read_fees(session, block=block)
    return await unpaged_response(context, response_format, _FEES, FeesView.of(snapshot, totals))


@router.get(
    "/events/unfinal",
    summary="What was seen in blocks that are not final yet, newest first",
    response_model=_PENDING_EVENTS.envelope,
    responses=with_csv(_PENDING_EVENTS, answers("pending_events", 400, 401, 503)),
)
async def pending_events(context: ContextDep, _user: SignedInUser, list_request: ListRequestDep) -> Any:
    """No book: nothing is counted from it. An event leaves the list when its block is recorded, or when another block stands in
    its block's place; `fund:pending-logs` tells which."""

    async def read(session: ReadSession, page: PageRequest) -> Listing[PendingEventView]:
        return Listing[PendingEventView].page((await list_pending_logs(session, page)).mapped(PendingEventView.of))

    return await list_response(context, list_request, _PENDING_EVENTS, read)
