"""The feed from Redis to the hub: one subscription for all clients of this process, renewed until it succeeds.

Redis keeps no message for a disconnected subscriber. After every renewal the clients get `resync` and read their data again.
"""

import asyncio
import random
from datetime import UTC, datetime
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from paimon.gateway.websocket.hub import Hub
from paimon.gateway.websocket.protocol import RESYNC, LiveChannel, message
from paimon.infrastructure.cache.live import messages
from paimon.infrastructure.observability.outages import Outages

log = structlog.get_logger(__name__)

_TASK: Final = "feed"
_PAUSE_SECONDS: Final = 0.1
_PAUSE_SECONDS_MAX: Final = 5.0


class Feed:
    """Forwards messages from Redis to the hub until it is cancelled. `subscribed` is set while the subscription is active."""

    def __init__(self, redis: Redis, hub: Hub) -> None:
        self._redis = redis
        self._hub = hub
        self._was_subscribed = False
        self._failures = 0
        self._outages = Outages()
        self.subscribed = asyncio.Event()

    async def run(self) -> None:
        while True:
            try:
                async for channel, data in messages(self._redis, on_subscribed=self._subscribed):
                    self._forward(channel, data)
                reason = "the subscription ended"
            except (RedisError, OSError) as error:
                reason = f"{type(error).__name__}: {error}"
            self.subscribed.clear()
            self._failures += 1
            pause = random.uniform(0, min(_PAUSE_SECONDS_MAX, _PAUSE_SECONDS * 2**self._failures))  # noqa: S311 — jitter
            self._outages.record_failure("redis", reason, task=_TASK)
            await asyncio.sleep(pause)

    def _subscribed(self) -> None:
        self._failures = 0
        self._outages.record_success(_TASK)
        self.subscribed.set()
        if self._was_subscribed:
            log.info("live.subscription_renewed", clients=self._hub.client_count)
            self._hub.broadcast(RESYNC)
        self._was_subscribed = True

    def _forward(self, channel: str, data: dict[str, object]) -> None:
        try:
            known = LiveChannel(channel)
        except ValueError:
            log.warning("live.channel_unknown", channel=channel)
            return
        self._hub.publish(known, message(known, data, at=datetime.now(UTC)))
