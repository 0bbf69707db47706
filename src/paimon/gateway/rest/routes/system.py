"""The house's own state: health for people, liveness and readiness for machines, the settings in effect."""

import asyncio
import time
from typing import Final, Literal

from fastapi import APIRouter, Request, Response

from paimon.application.monitoring.health import Health, check_health, is_ready
from paimon.composition import House
from paimon.gateway.rest.dependencies import HouseDep, SignedInUser
from paimon.gateway.rest.envelope import Envelope, ErrorCode
from paimon.gateway.rest.errors import failure
from paimon.gateway.rest.openapi import answers
from paimon.gateway.rest.schema import ApiModel
from paimon.gateway.rest.views.system import ConfigView, HealthView

router = APIRouter(prefix="/system", tags=["system"])
probes = APIRouter(prefix="/health", tags=["system"])

_REMEMBERED_SECONDS: Final = 1.0


class AliveView(ApiModel):
    status: Literal["alive", "ready"]


class HealthDesk:
    """One look at a time, remembered for a second: the report is open to anyone, and each look costs the node a call."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._turn = asyncio.Lock()
        self._latest: tuple[float, Health] | None = None

    async def report(self) -> Health:
        async with self._turn:
            if self._latest is not None and time.monotonic() - self._latest[0] < _REMEMBERED_SECONDS:
                return self._latest[1]
            house, settings = self._house, self._house.settings
            health = await check_health(
                database=house.database,
                redis=house.redis,
                rpc=house.rpc,
                chain=house.chain,
                signer=house.signer,
                wallets=tuple(settings.sending.sending_keys()),
                limits=settings.health,
                low_balance_wei=settings.sending.low_balance_wei,
            )
            self._latest = (time.monotonic(), health)
            return health


@router.get("/health", summary="Every part of the house, and the whole", responses=answers("health"))
async def health(request: Request) -> Envelope[HealthView]:
    """Open to anyone, and always 200: it is a report. Machines ask /health/live and /health/ready."""
    desk: HealthDesk = request.app.state.health_desk
    return Envelope[HealthView](data=HealthView.of(await desk.report()))


@router.get("/config", summary="The settings in effect, without secrets", responses=answers("config", 401, 503))
async def config(house: HouseDep, _user: SignedInUser) -> Envelope[ConfigView]:
    return Envelope[ConfigView](data=ConfigView.of(house.settings))


@probes.get("/live", summary="This process runs", responses=answers("live"))
async def live() -> Envelope[AliveView]:
    return Envelope[AliveView](data=AliveView(status="alive"))


@probes.get(
    "/ready",
    summary="This process can serve",
    response_model=Envelope[AliveView],
    responses=answers("ready", 503),
)
async def ready(house: HouseDep) -> Envelope[AliveView] | Response:
    timeout_seconds = house.settings.health.check_timeout_seconds
    if await is_ready(database=house.database, redis=house.redis, timeout_seconds=timeout_seconds):
        return Envelope[AliveView](data=AliveView(status="ready"))
    return failure(503, ErrorCode.SERVICE_UNAVAILABLE, "the database or Redis does not answer; try again shortly")
