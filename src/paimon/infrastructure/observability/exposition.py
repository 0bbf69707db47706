"""Metrics in Prometheus' text format, served on a port of their own.

The server is optional: if the port is in use, the process logs an error and goes on without it. Prometheus' scrape then
fails, which raises an alert.
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
"""Function that collects further metrics at the time of a scrape. It never raises."""


class _StaticCollector:
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


async def render_metrics(collect: CollectMetrics | None = None) -> bytes:
    """Render the metrics that this process counted and those that `collect` returns now."""
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
    """Serve `GET /metrics` on this port until the block ends. Without a port, serve nothing."""
    if port is None:
        yield
        return
    set_build_info(process)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=await render_metrics(collect), headers={"Content-Type": CONTENT_TYPE})

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
