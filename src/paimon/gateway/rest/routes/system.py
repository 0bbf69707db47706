"""Endpoints of the system itself: its health, the probes for load balancers, the settings in effect, the contracts."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Literal

from fastapi import APIRouter, Request, Response

from paimon.application.deployment.queries import get_examined
from paimon.application.monitoring.health import HealthReport, check_health, find_unready
from paimon.composition import AppContext
from paimon.domain.operations.health import ComponentHealth, HealthStatus
from paimon.gateway.rest.dependencies import ContextDep, ReportReader, SignedInUser
from paimon.gateway.rest.envelope import Envelope, ErrorCode
from paimon.gateway.rest.errors import error_response
from paimon.gateway.rest.openapi import documented_responses
from paimon.gateway.rest.schema import ApiModel
from paimon.gateway.rest.views.contracts import DeploymentView
from paimon.gateway.rest.views.system import ConfigView, HealthView

router = APIRouter(prefix="/system", tags=["system"])
probes = APIRouter(prefix="/health", tags=["system"])

_CACHE_SECONDS: Final = 1.0


class ProbeView(ApiModel):
    status: Literal["ALIVE", "READY"]


class HealthReporter:
    """Make health reports, one at a time, and cache the last for a second.

    The report is open to everyone, and each one costs the node a call.
    """

    def __init__(self, context: AppContext, own_health: Sequence[Callable[[], ComponentHealth]]) -> None:
        self._context = context
        self._own_health = own_health
        self._lock = asyncio.Lock()
        self._latest: tuple[float, HealthReport] | None = None
        self._readiness: asyncio.Task[list[ComponentHealth]] | None = None

    async def unready(self) -> list[ComponentHealth]:
        """Return what keeps this process from serving. Callers at the same time share one probe: it uses the database."""
        if self._readiness is None or self._readiness.done():
            context = self._context
            timeout_seconds = context.settings.health.check_timeout_seconds
            self._readiness = asyncio.create_task(
                find_unready(database=context.database, redis=context.redis, timeout_seconds=timeout_seconds)
            )
        return await asyncio.shield(self._readiness)

    async def report(self) -> HealthReport:
        async with self._lock:
            if self._latest is not None and time.monotonic() - self._latest[0] < _CACHE_SECONDS:
                return self._latest[1]
            context, settings = self._context, self._context.settings
            health = await check_health(
                database=context.database,
                redis=context.redis,
                rpc=context.rpc,
                chain=context.chain,
                wallets=tuple(settings.sending.sending_keys()),
                limits=settings.health,
                low_balance_wei=settings.sending.low_balance_wei,
                others=[judge() for judge in self._own_health],
            )
            self._latest = (time.monotonic(), health)
            return health


@router.get(
    "/health",
    operation_id="getHealth",
    summary="Show the health of the system and its components",
    responses=documented_responses("health", 401, 503),
)
async def health(request: Request, may_see_components: ReportReader) -> Envelope[HealthView]:
    """Always 200: it is a report. Load balancers use /health/live and /health/ready.

    Without an access token it says only how the whole is; `components` is then empty.
    """
    reporter: HealthReporter = request.app.state.health_reporter
    report = await reporter.report()
    if not may_see_components:
        report = replace(report, status=_public_status(report.status), components=[])
    return Envelope[HealthView](data=HealthView.of(report))


def _public_status(status: HealthStatus) -> HealthStatus:
    """Return what strangers see: well, or not."""
    return HealthStatus.OK if status is HealthStatus.OK else HealthStatus.DEGRADED


@router.get(
    "/config",
    operation_id="getConfig",
    summary="Show the settings in effect, without secrets",
    responses=documented_responses("config", 401, 503),
)
async def config(context: ContextDep, _user: SignedInUser) -> Envelope[ConfigView]:
    return Envelope[ConfigView](data=ConfigView.of(context.settings))


@router.get(
    "/contracts",
    operation_id="getContracts",
    summary="Show what the fund's contracts are, what they can do, and what is not understood of them",
    responses=documented_responses("contracts", 401, 503),
)
async def contracts(context: ContextDep, _user: SignedInUser) -> Envelope[DeploymentView]:
    """As last examined by a worker: when the listener has caught up, after an upgrade, and each hour."""
    async with context.database.read() as session:
        examined = await get_examined(session, context.contracts.abis)
    return Envelope[DeploymentView](data=DeploymentView.of(examined))


@probes.get("/live", operation_id="getLiveness", summary="Check that this process runs", responses=documented_responses("live"))
async def live() -> Envelope[ProbeView]:
    return Envelope[ProbeView](data=ProbeView(status="ALIVE"))


@probes.get(
    "/ready",
    operation_id="getReadiness",
    summary="Check that this process can serve requests",
    response_model=Envelope[ProbeView],
    responses=documented_responses("ready", 503),
)
async def ready(request: Request) -> Envelope[ProbeView] | Response:
    reporter: HealthReporter = request.app.state.health_reporter
    unready = await reporter.unready()
    if not unready:
        return Envelope[ProbeView](data=ProbeView(status="READY"))
    reasons = "; ".join(f"{component.name} {component.summary}" for component in unready)
    return error_response(503, ErrorCode.SERVICE_UNAVAILABLE, f"{reasons}; try again shortly")
