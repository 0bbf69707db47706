"""Endpoints of prices: how each asset's price is judged, and every observation of its sources."""

from typing import Any, Final

from fastapi import APIRouter

from paimon.application.oracle.queries import list_observations
from paimon.application.vault.price_list import list_prices
from paimon.gateway.rest.dependencies import ContextDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import (
    CsvTable,
    ListRequestDep,
    ResponseFormatDep,
    list_response,
    paged_table,
    unpaged_response,
)
from paimon.gateway.rest.openapi import documented_responses, with_csv
from paimon.gateway.rest.schema import AddressText
from paimon.gateway.rest.views.prices import PriceObservationView, PricesView, PriceView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/prices", tags=["prices"])

_PRICES: Final = CsvTable("prices", PriceView, Envelope[PricesView], lambda data: data.prices)
_OBSERVATIONS: Final = paged_table("price-observations", PriceObservationView, Envelope[Listing[PriceObservationView]])


@router.get(
    "",
    operation_id="listPrices",
    summary="List the assets' prices with their sources, and whether each is trusted",
    response_model=_PRICES.envelope,
    responses=with_csv(_PRICES, documented_responses("prices", 400, 401, 503)),
)
async def prices(context: ContextDep, _user: SignedInUser, response_format: ResponseFormatDep) -> Any:
    """As judged at the newest snapshot. While a held asset's price is not trusted, NAV is not official."""
    async with context.database.read() as session:
        data = PricesView.of(await list_prices(session))
    return await unpaged_response(context, response_format, _PRICES, data)


@router.get(
    "/{token}/observations",
    operation_id="listPriceObservations",
    summary="List what the sources said of an asset's price, latest first",
    response_model=_OBSERVATIONS.envelope,
    responses=with_csv(_OBSERVATIONS, documented_responses("price_observations", 400, 401, 404, 503)),
)
async def observations(token: AddressText, context: ContextDep, _user: SignedInUser, list_request: ListRequestDep) -> Any:
    """A source that repeats itself is listed once. The observations of USDT itself are USD for one USDT."""

    async def read(session: ReadSession, page: PageRequest) -> Listing[PriceObservationView]:
        found = await list_observations(session, page, token)
        return Listing[PriceObservationView].page(found.mapped(PriceObservationView.of))

    return await list_response(context, list_request, _OBSERVATIONS, read)
