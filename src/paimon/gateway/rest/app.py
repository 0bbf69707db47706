"""The API process: one FastAPI application over one house, REST and WebSocket side by side."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import APIRouter, FastAPI

from paimon.composition import open_house
from paimon.gateway.rest import errors
from paimon.gateway.rest.openapi import describe
from paimon.gateway.rest.request_frame import RequestFrame
from paimon.gateway.rest.routes import approvals, auth, fund, redemptions, system
from paimon.settings import Settings

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
            app.state.house = house
            app.state.health_desk = system.HealthDesk(house)
            yield

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
    api = APIRouter(prefix=BASE)
    for group in (auth, fund, redemptions, approvals, system):
        api.include_router(group.router)
    api.include_router(system.probes)
    app.include_router(api)
    app.include_router(system.probes, include_in_schema=False)  # where a load balancer looks
    errors.install(app)
    app.add_middleware(RequestFrame, body_bytes_max=settings.api.body_bytes_max)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    return app
