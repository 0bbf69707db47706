"""Live messages from any process to every API replica, over one Redis channel."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import orjson

from paimon.infrastructure.cache.authenticated_redis import AuthenticatedRedis

TOPIC: Final = "paimon:live"
_AGE_SECONDS_MAX: Final = 30.0
"""A message reaches its subscribers at once; an older one is a repetition."""


async def publish(redis: AuthenticatedRedis, channel: str, data: dict[str, Any]) -> None:
    """Publish one message for the WebSocket channel. Delivery is best effort: clients read again after a reconnect."""
    await redis.publish(TOPIC, orjson.dumps({"channel": channel, "data": data}))


async def messages(
    redis: AuthenticatedRedis, *, on_subscribed: Callable[[], None] | None = None
) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield (channel, data) of every message from now on. A message that is not ours is counted and skipped.

    `on_subscribed` is called when the subscription is active, and again each time the Redis client lost and renewed it.
    Messages published in between are lost.
    """
    async with redis.client.pubsub() as subscription:
        await subscription.subscribe(TOPIC)
        async for message in subscription.listen():
            if message["type"] == "subscribe" and on_subscribed is not None:
                on_subscribed()
            if message["type"] == "message" and (read := _read(redis, message["data"])) is not None:
                yield read


def _read(redis: AuthenticatedRedis, wrapped: bytes) -> tuple[str, dict[str, Any]] | None:
    content = redis.unwrap_message(TOPIC, wrapped, age_seconds_max=_AGE_SECONDS_MAX)
    if content is None:
        return None
    try:
        match orjson.loads(content):
            case {"channel": str(channel), "data": dict(data)}:
                return channel, data
    except orjson.JSONDecodeError:
        pass
    redis.refuse_message(TOPIC)
    return None
