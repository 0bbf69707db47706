"""The feed from Redis to the hub: one subscription for all clients of this process, renewed until it succeeds.

Redis keeps no message for a disconnected subscriber. After every renewal the clients get `resync` and read their data again.
A message that is not ours is counted and skipped. After any other failure, a defect of ours included, the feed begins again
after a pause, and the health report shows it.
"""

import asyncio
import random
import time
from datetime import UTC, datetime
from typing import Final

import structlog
from redis.exceptions import RedisError

from paimon.domain.operations.health import ComponentHealth, HealthStatus
from paimon.gateway.websocket.hub import Hub
from paimon.gateway.websocket.protocol import RESYNC, LiveChannel, message
from paimon.infrastructure.cache.authenticated_redis import AuthenticatedRedis
from paimon.infrastructure.cache.live import TOPIC, messages
from paimon.infrastructure.observability.outages import Outages

log = structlog.get_logger(__name__)

_TASK: Final = "feed"
_PAUSE_SECONDS: Final = 0.1
_PAUSE_SECONDS_MAX: Final = 5.0
_RECENT_SECONDS: Final = 60.0
"""How long an end of the subscription shows in the health report after the feed has begun again."""


class Feed:
    """Forwards messages from Redis to the hub until it is cancelled. `subscribed` is set while the subscription is active."""

    def __init__(self, redis: AuthenticatedRedis, hub: Hub) -> None:
        self._redis = redis
        self._hub = hub
        self._was_subscribed = False
        self._failures = 0
        self._ended_at: float | None = None
        self._outages = Outages()
        self.subscribed = asyncio.Event()

    async def run(self) -> None:
        while True:
            reason = await self._forward_until_it_ends()
            self.subscribed.clear()
            self._ended_at = time.monotonic()
            self._failures += 1
            pause = random.uniform(0, min(_PAUSE_SECONDS_MAX, _PAUSE_SECONDS * 2**self._failures))  # noqa: S311 — jitter
            self._outages.record_failure("redis", reason, task=_TASK)
            await asyncio.sleep(pause)

    async def _forward_until_it_ends(self) -> str:
        """Forward messages; return why the subscription ended."""
        try:
            async for channel, data in messages(self._redis, on_subscribed=self._subscribed):
                self._forward(channel, data)
        except (RedisError, OSError) as error:
            return f"{type(error).__name__}: {error}"
        except Exception as error:
            log.error("live.feed_failed", exc_info=error)
            return f"{type(error).__name__}"
        return "the subscription ended"

    def health(self) -> ComponentHealth:
        """Report whether this process's clients get live messages."""
        details = {"clients": self._hub.client_count}
        if not self.subscribed.is_set():
            return ComponentHealth("live_messages", HealthStatus.DOWN, "no subscription", details)
        if self._ended_at is not None and (ago := time.monotonic() - self._ended_at) < _RECENT_SECONDS:
            return ComponentHealth("live_messages", HealthStatus.DEGRADED, f"began again after an end {ago:.0f} s ago", details)
        return ComponentHealth("live_messages", HealthStatus.OK, "subscribed", details)

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
        except ValueError:  # a process of another version publishes it
            self._redis.refuse_message(TOPIC)
            log.warning("live.channel_unknown", channel=channel[:100])
            return
        self._hub.publish(known, message(known, data, at=datetime.now(UTC)))
