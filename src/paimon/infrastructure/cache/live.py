"""Live messages from whoever did something to every API replica: published once, encoded once."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import orjson
from redis.asyncio import Redis

_TOPIC: Final = "paimon:live"


async def publish(redis: Redis, channel: str, data: dict[str, Any]) -> None:
    """Send one message to the WebSocket channel `channel`. Best effort by nature: clients re-read on reconnect."""
    await redis.publish(_TOPIC, orjson.dumps({"channel": channel, "data": data}))


async def messages(
    redis: Redis, *, on_subscribed: Callable[[], None] | None = None
) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """(channel, data) of every message, from now on.

    `on_subscribed` is called when the subscription stands, and again each time the client has lost and renewed it by
    itself: what was published in between is gone.
    """
    async with redis.pubsub() as subscription:
        await subscription.subscribe(_TOPIC)
        async for message in subscription.listen():
            if message["type"] == "subscribe" and on_subscribed is not None:
                on_subscribed()
            if message["type"] == "message":
                content = orjson.loads(message["data"])
                yield content["channel"], content["data"]
