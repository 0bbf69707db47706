"""Live messages from any process to every API replica, over one Redis channel."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import orjson
from redis.asyncio import Redis

_TOPIC: Final = "paimon:live"


async def publish(redis: Redis, channel: str, data: dict[str, Any]) -> None:
    """Publish one message for the WebSocket channel. Delivery is best effort: clients read again after a reconnect."""
    await redis.publish(_TOPIC, orjson.dumps({"channel": channel, "data": data}))


async def messages(
    redis: Redis, *, on_subscribed: Callable[[], None] | None = None
) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield (channel, data) of every message from now on.

    `on_subscribed` is called when the subscription is active, and again each time the Redis client lost and renewed it.
    Messages published in between are lost.
    """
    async with redis.pubsub() as subscription:
        await subscription.subscribe(_TOPIC)
        async for message in subscription.listen():
            if message["type"] == "subscribe" and on_subscribed is not None:
                on_subscribed()
            if message["type"] == "message":
                content = orjson.loads(message["data"])
                yield content["channel"], content["data"]
