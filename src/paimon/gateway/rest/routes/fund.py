"""The fund at one block: overview, tiers, assets, fees."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from paimon.application.event_listener.record.pending_logs import list_unfinal
from paimon.application.nav.as_of import NothingYet, read_overview_at, snapshot_as_of
from paimon.application.nav.overview import read_overview
from paimon.application.vault.fund_lists import list_assets, read_fees
from paimon.domain.asset.tier import Tier
from paimon.gateway.rest.dependencies import BlockDep, HouseDep, SignedInUser
from paimon.gateway.rest.envelope import DatedListing, Envelope, Listing, splice
from paimon.gateway.rest.list_responses import AskedDep, FormDep, Table, answer_list, answer_whole, listing
from paimon.gateway.rest.openapi import answers, file_too
from paimon.gateway.rest.views.fund import OverviewView
from paimon.gateway.rest.views.fund_lists import (
    AssetView,
    FeesView,
    FeeView,
    LayerStateView,
    LayersView,
    show_assets,
)
from paimon.gateway.rest.views.pending_logs import UnfinalEventView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/fund", tags=["fund"])

_LAYERS: Final = Table("layers", LayerStateView, Envelope[LayersView], lambda data: data.layers)
_ASSETS: Final = listing("assets", AssetView, Envelope[DatedListing[AssetView]])
_UNFINAL: Final = listing("unfinal-events", UnfinalEventView, Envelope[Listing[UnfinalEventView]])
_FEES: Final = Table("fees", FeeView, Envelope[FeesView], lambda data: data.fees)


@router.get(
    "/overview",
    summary="Assets, NAV, tiers and liabilities at the last snapshot's block",
    response_model=Envelope[OverviewView],
    responses=answers("overview", 400, 401, 404, 503),
)
async def overview(house: HouseDep, _user: SignedInUser, block: BlockDep) -> Response:
    """A scheduled read of the contracts at one final block; answering it never calls the chain."""
    if block is not None:
        return splice(await read_overview_at(house.database, block))
    data = await read_overview(house.redis, house.database)
    if data is None:
        raise NothingYet("The fund's first snapshot has not been taken yet; a worker must be running. Try again shortly.")
    return splice(data)


@router.get(
    "/liquidity/layers",
    summary="The tiers: value, share of gross assets, and the band each should be in",
    response_model=_LAYERS.envelope,
    responses=file_too(_LAYERS, answers("layers", 400, 401, 404, 503)),
)
async def layers(house: HouseDep, _user: SignedInUser, form: FormDep, block: BlockDep) -> Any:
    async with house.database.read() as session:
        snapshot = await snapshot_as_of(session, block)
    return await answer_whole(house, form, _LAYERS, LayersView.of(snapshot))


@router.get(
    "/assets",
    summary="Every asset with balance, price, age of the price and worth, by tier",
    response_model=_ASSETS.envelope,
    responses=file_too(_ASSETS, answers("assets", 400, 401, 404, 503)),
)
async def assets(
    house: HouseDep,
    _user: SignedInUser,
    asked: AskedDep,
    block: BlockDep,
    tier: Tier | None = None,
    active: Annotated[bool | None, Query(description="on the list; both unless given")] = None,
) -> Any:
    """The vault's cash is no asset of the list: it stands with the tiers."""

    async def read(session: ReadSession, page: PageRequest) -> DatedListing[AssetView]:
        return show_assets(await list_assets(session, page, block=block, tier=tier, active=active))

    return await answer_list(house, asked, _ASSETS, read)


@router.get(
    "/fees",
    summary="Fees by kind: accrued, paid, owed, pending; and the high-water mark",
    response_model=_FEES.envelope,
    responses=file_too(_FEES, answers("fees", 400, 401, 404, 503)),
)
async def fees(house: HouseDep, _user: SignedInUser, form: FormDep, block: BlockDep) -> Any:
    """Each step that led here is a log of a transaction: `GET /transactions?event=ManagementFeeCollected`."""
    async with house.database.read() as session:
        snapshot, totals = await read_fees(session, block=block)
    return await answer_whole(house, form, _FEES, FeesView.of(snapshot, totals))


@router.get(
    "/events/unfinal",
    summary="What was seen in blocks that are not final yet, newest first",
    response_model=_UNFINAL.envelope,
    responses=file_too(_UNFINAL, answers("unfinal_events", 400, 401, 503)),
)
async def unfinal_events(house: HouseDep, _user: SignedInUser, asked: AskedDep) -> Any:
    """No book: nothing is counted from it. An event leaves the list when its block is recorded, or when another block stands in
    its block's place; `fund:unfinal` tells which."""

    async def read(session: ReadSession, page: PageRequest) -> Listing[UnfinalEventView]:
        return Listing[UnfinalEventView].page((await list_unfinal(session, page)).mapped(UnfinalEventView.of))

    return await answer_list(house, asked, _UNFINAL, read)
