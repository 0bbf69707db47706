"""Metrics as text, and a small server for processes that have none of their own.

It answers one path on a port of its own, and is no condition of the work: where the port is taken, the process goes on
without it and says so. (Then the scrape fails, and the alert on that tells.)
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric

from paimon.infrastructure.observability.metrics import set_build_info

log = structlog.get_logger(__name__)

PATH = "/metrics"
CONTENT_TYPE = CONTENT_TYPE_LATEST

CollectMetrics = Callable[[], Awaitable[Iterable[Metric]]]
"""What is known beside what this process counts; never raises."""


class _StaticCollector:
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


async def exposition(collect: CollectMetrics | None = None) -> bytes:
    """What this process counted, and what was collected just now."""
    own = generate_latest(REGISTRY)
    if collect is None:
        return own
    found = CollectorRegistry(auto_describe=False)
    found.register(_StaticCollector(await collect()))
    return own + generate_latest(found)


@asynccontextmanager
async def serve_metrics(
    process: str, host: str, port: int | None, collect: CollectMetrics | None = None
) -> AsyncIterator[None]:
    """Answer `GET /metrics` on this port until the block ends; nothing where no port is given."""
    if port is None:
        yield
        return
    set_build_info(process)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=await exposition(collect), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get(PATH, answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, reuse_address=True).start()
            log.info("metrics.served", host=host, port=port)
        except OSError as error:
            log.error("metrics.not_served", host=host, port=port, reason=error.strerror)
        yield
    finally:
        await runner.cleanup()
