"""The API process: one FastAPI application over one house, REST and WebSocket side by side."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

import structlog
from fastapi import APIRouter, Depends, FastAPI

from paimon.composition import House, open_house, require_ready
from paimon.gateway.rest import errors
from paimon.gateway.rest.openapi import describe
from paimon.gateway.rest.query_params import refuse_unknown_queries
from paimon.gateway.rest.request_middleware import RequestFrame
from paimon.gateway.rest.routes import approvals, auth, fund, multisig, nav, plans, redemptions, risk, system
from paimon.gateway.rest.routes import holders as register
from paimon.gateway.rest.routes import operator_decisions as remedies
from paimon.gateway.rest.routes import transactions as desk
from paimon.gateway.websocket import endpoint
from paimon.gateway.websocket.feed import Feed
from paimon.gateway.websocket.hub import Hub
from paimon.infrastructure.observability.exposition import exposing
from paimon.settings import Settings

log = structlog.get_logger(__name__)

BASE: Final = "/api/v1"

_DESCRIPTION: Final = """\
Operations backend of Paimon Prime Fund. Every answer is an envelope: `{success, data, timestamp, requestId}` or
`{success, error, timestamp, requestId}`. Integers of the chain travel as decimal strings, times in UTC, addresses in
their EIP-55 form. Sign in with a wallet at `/auth/challenge` and `/auth/verify`, then send the access token as
`Authorization: Bearer …`. Live messages come over the WebSocket at `/api/v1/ws`.
"""


def create_app(settings: Settings) -> FastAPI:
    """The application; its house is opened when the server starts it, and closed with it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_house(settings, process="api") as house:
            await _require_ready(house)
            hub = Hub()
            app.state.house, app.state.hub = house, hub
            app.state.health_desk = system.HealthDesk(house)
            feed = asyncio.create_task(Feed(house.redis, hub).run())
            feed.add_done_callback(_report_end)
            try:
                async with exposing("api", settings.metrics.host, settings.metrics.api_port, house.new_scraper().collect):
                    yield
            finally:
                feed.cancel()
                await asyncio.gather(feed, return_exceptions=True)  # its connection ends before the house closes

    app = FastAPI(
        title="Paimon Prime Fund",
        version=version("paimon"),
        description=_DESCRIPTION,
        docs_url="/api/docs",
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
        lifespan=lifespan,
    )
    api = APIRouter(prefix=BASE, dependencies=[Depends(refuse_unknown_queries)])
    for group in (auth, fund, nav, register, redemptions, approvals, plans, desk, multisig, risk, remedies, system):
        api.include_router(group.router)
    api.include_router(system.probes)
    app.include_router(api)
    app.include_router(endpoint.router, prefix=BASE)
    app.include_router(system.probes, include_in_schema=False)  # where a load balancer looks
    errors.install(app)
    app.add_middleware(RequestFrame, body_bytes_max=settings.api.body_bytes_max)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    return app


async def _require_ready(house: House) -> None:
    try:
        await require_ready(house)
    except Exception as error:
        log.critical("api.refused_to_start", reason=str(error))  # the server itself would show a traceback only
        raise


def _report_end(feed: asyncio.Task[None]) -> None:
    """The feed runs until it is cancelled; anything else leaves clients without messages, and an operator must know."""
    if not feed.cancelled():
        log.critical("live.feed_ended", exc_info=feed.exception())
