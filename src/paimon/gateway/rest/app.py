"""The API process: one FastAPI application that serves REST and WebSocket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache
from importlib.metadata import version
from typing import Final

import structlog
from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute

from paimon.application.identity.subject_key_store import require_personal_data_secrets
from paimon.composition import AppContext, open_app_context, open_shared_limits, require_ready
from paimon.gateway.rest import docs_ui, errors
from paimon.gateway.rest.console import console_router
from paimon.gateway.rest.openapi import openapi_document
from paimon.gateway.rest.query_params import reject_unknown_query_params
from paimon.gateway.rest.request_limits import RequestLimits
from paimon.gateway.rest.request_middleware import RequestMiddleware
from paimon.gateway.rest.request_text import reject_invalid_text
from paimon.gateway.rest.routes import (
    api_keys,
    approvals,
    assets,
    audit,
    auth,
    chain,
    emergencies,
    fund,
    fund_risk,
    holders,
    multisig,
    nav,
    notifications,
    outbox,
    plans,
    policy,
    prices,
    quarantine,
    rebalance,
    redemptions,
    reports,
    risk,
    signed_actions,
    stand_ins,
    statements,
    system,
    transactions,
    users,
    wallets,
)
from paimon.gateway.websocket import endpoint
from paimon.gateway.websocket.feed import Feed
from paimon.gateway.websocket.hub import Hub
from paimon.gateway.websocket.rights import watch_rights
from paimon.infrastructure.observability.exposition import serve_metrics
from paimon.settings import Settings

log = structlog.get_logger(__name__)

BASE: Final = "/api/v1"

_FEATURES: Final = (
    auth,
    users,
    api_keys,
    fund,
    nav,
    holders,
    chain,
    redemptions,
    approvals,
    stand_ins,
    assets,
    policy,
    transactions,
    wallets,
    plans,
    rebalance,
    prices,
    multisig,
    signed_actions,
    fund_risk,
    risk,
    emergencies,
    notifications,
    reports,
    statements,
    outbox,
    quarantine,
    audit,
    system,
)
"""Route modules in the order of the documentation."""

_DESCRIPTION: Final = """\
Operations backend of Paimon Prime Fund. Every response is an envelope: `{success, data, timestamp, requestId}` or
`{success, error, timestamp, requestId}`. On-chain integers are decimal strings, times are in UTC, addresses are checksummed
(EIP-55). Sign in with a wallet at `/auth/challenge` and `/auth/verify`, then send the access token as
`Authorization: Bearer …`. Live messages come over the WebSocket at `/api/v1/ws`.
"""


def create_app(settings: Settings) -> FastAPI:
    """Create the application. Its context is opened and closed by the server's start and end."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_app_context(settings, process="api") as context:
            await _require_ready(context)
            hub = Hub()
            feed = Feed(context.redis, hub)
            app.state.context, app.state.hub = context, hub
            app.state.health_reporter = system.HealthReporter(context, (feed.health, app.state.limits.health))
            watching = watch_rights(
                hub,
                context.database,
                context.users.scope,
                idle=timedelta(seconds=settings.auth.session_idle_seconds),
                every_seconds=settings.api.ws_rights_seconds,
            )
            running = [asyncio.create_task(feed.run()), asyncio.create_task(watching)]
            try:
                async with serve_metrics(
                    "api", settings.metrics.host, settings.metrics.api_port, context.new_metrics_scraper().collect
                ):
                    yield
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)  # their connections end before the context closes
                await app.state.limits.aclose()

    app = FastAPI(
        title="Paimon Prime Fund",
        version=version("paimon"),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
        lifespan=lifespan,
        routes=_routes(),
    )
    app.include_router(console_router(settings))
    errors.install_error_handlers(app)
    app.state.limits = RequestLimits(settings.api, open_shared_limits(settings))
    if origins := settings.api.allowed_origins():
        # No credentials: the refresh token's cookie stays with this site. An access token is a header that a page sets itself.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match", "X-Request-ID"],
            expose_headers=["ETag", "Retry-After", "X-Request-ID"],
            max_age=600,
        )
    app.add_middleware(RequestMiddleware, body_bytes_max=settings.api.body_bytes_max, limits=app.state.limits)
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]
    return app


@cache
def _routes() -> list[BaseRoute]:
    """Return every route that depends on no setting. A process makes them once: that is most of an application's start."""
    api = APIRouter(dependencies=[Depends(reject_invalid_text), Depends(reject_unknown_query_params)])
    for feature in _FEATURES:
        api.include_router(feature.router)
    api.include_router(system.probes)
    root = APIRouter()
    root.include_router(api, prefix=BASE)
    root.include_router(endpoint.router, prefix=BASE)
    root.include_router(docs_ui.router)
    root.include_router(system.probes, include_in_schema=False)  # the paths that load balancers probe
    return root.routes


async def _require_ready(context: AppContext) -> None:
    try:
        await require_ready(context)
        await require_personal_data_secrets(context.database, context.settings.auth)
    except Exception as error:
        log.critical("api.refused_to_start", reason=str(error))  # uvicorn would log a traceback only
        raise
