"""Rate limits that all replicas count together in Redis, by the sliding windows of `limits`.

    request ──► portion of the key left?    ──► yes: take one of it
                        │
                        └─ no: draw a portion from Redis ──► granted, or refused until a time

Requests are drawn in portions, so that most of them cost no round trip; a limit's portion is its PORTIONS-th part. What was
drawn and is not used within the limit's window is forgotten. So the replicas together allow the limit, give or take one portion
for each replica.

Redis learns no address and no person: a key's name is a code that only holders of the integrity key can make.
"""

import asyncio
import hmac
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

import structlog
from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from paimon.domain.operations.rate_limit import RateLimit, Window, window_of

_PREFIX: Final = "paimon:limit"
PORTIONS: Final = 50
"""A burst of fewer requests is drawn one by one."""
_REST_SECONDS: Final = 1.0
"""How long Redis is not asked again after it did not answer: requests do not wait for it meanwhile."""
_NAME_BYTES: Final = 16
_NO_COUNTS: Final = (ResponseError, ValueError, OverflowError)
"""Under the key is no count: someone else wrote it, so it is cleared and counted anew."""

log = structlog.get_logger(__name__)


class SharedLimitsUnavailable(Exception):
    """Redis does not count now."""


@dataclass(slots=True)
class _Drawn:
    """What a key has left until a time in seconds: requests, or a refusal when there are none."""

    requests: int
    until: float


class SharedLimits:
    """Draws requests of one process from the counts of all."""

    def __init__(
        self,
        client: Redis,
        key: SecretStr,
        *,
        keys_max: int = 50_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        pool: dict[str, Any] = {"connection_pool": client.connection_pool}  # whose type the library does not name
        storage = RedisStorage("async+redis://", implementation="redispy", key_prefix=_PREFIX, **pool)
        self._windows = SlidingWindowCounterRateLimiter(storage)
        self._name_key = hmac.digest(key.get_secret_value().encode(), b"paimon redis limits", "sha256")
        self._keys_max = keys_max
        self._clock = clock
        self._drawn: OrderedDict[tuple[str, str], _Drawn] = OrderedDict()
        self._drawing: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._asked_again_at = 0.0

    async def wait_seconds(self, group: str, limit: RateLimit, key: str) -> int:
        """Count one request of a key in a group. Return 0, or the whole seconds to wait until one is allowed.

        Raises:
            SharedLimitsUnavailable: Redis does not answer, or did not a second ago.
        """
        place = (group, key)
        if (drawn := self._left(place)) is None:
            async with self._drawing.setdefault(place, asyncio.Lock()):  # many requests at once draw one portion, not one each
                if (drawn := self._left(place)) is None:
                    drawn = await self._draw(group, window_of(limit), key)
                    self._remember(place, drawn)
        if drawn.requests == 0:
            return max(math.ceil(drawn.until - self._clock()), 1)
        drawn.requests -= 1
        if drawn.requests == 0:
            self._drawn.pop(place, None)
        return 0

    def _left(self, place: tuple[str, str]) -> _Drawn | None:
        drawn = self._drawn.get(place)
        return drawn if drawn is not None and drawn.until > self._clock() else None

    async def _draw(self, group: str, window: Window, key: str) -> _Drawn:
        now = self._clock()
        if now < self._asked_again_at:
            raise SharedLimitsUnavailable("Redis did not answer a second ago")
        item = RateLimitItemPerSecond(window.requests, window.seconds, namespace=group)
        name = hmac.digest(self._name_key, f"{group} {key}".encode(), "sha256")[:_NAME_BYTES].hex()
        try:
            try:
                drawn = await self._count(item, name)
            except _NO_COUNTS:
                log.warning("shared_limits.foreign_count", group=group)
                await self._windows.clear(item, name)
                drawn = await self._count(item, name)
        except (RedisError, OSError, TimeoutError, *_NO_COUNTS) as error:
            self._asked_again_at = self._clock() + _REST_SECONDS
            raise SharedLimitsUnavailable(type(error).__name__) from error
        requests, wait = drawn
        return _Drawn(requests, now + (window.seconds if requests else min(wait, float(window.seconds))))

    async def _count(self, item: RateLimitItemPerSecond, name: str) -> tuple[int, float]:
        """Draw a portion, or one request if no portion is left. Return how many, and the seconds to wait if none."""
        for portion in dict.fromkeys((max(item.amount // PORTIONS, 1), 1)):
            if await self._windows.hit(item, name, cost=portion):
                return portion, 0.0
        stats = await self._windows.get_window_stats(item, name)
        return 0, max(stats.reset_time - time.time(), 0.0)

    def _remember(self, place: tuple[str, str], drawn: _Drawn) -> None:
        self._drawn[place] = drawn
        self._drawn.move_to_end(place)
        if len(self._drawn) > self._keys_max:
            self._drawn.popitem(last=False)

    async def aclose(self) -> None:
        await self._client.aclose()
