"""Test of a feed that ends by itself: the server must end too, as a failure."""

import asyncio

import pytest
from redis.asyncio import Redis

from paimon.gateway.rest.app import create_app
from paimon.settings import Settings

pytestmark = pytest.mark.integration


async def test_feed_that_ends_by_itself_is_reported_as_a_failure(settings: Settings, redis_url: str) -> None:
    """A message that no version of ours writes ends it: an array has no channel."""
    failed = asyncio.Event()
    app = create_app(settings, on_failure=failed.set)
    async with app.router.lifespan_context(app), Redis.from_url(redis_url) as redis:
        async with asyncio.timeout(20):
            while not failed.is_set():
                await redis.publish("paimon:live", b"[]")
                await asyncio.sleep(0.1)
