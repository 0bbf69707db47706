"""Rate limits: a bucket of tokens that refills with time, and one bucket for each caller."""

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import StrEnum


class LimitGroup(StrEnum):
    """What of a caller is counted together by all replicas."""

    ADDRESS = "address"
    PERSON = "person"
    SIGN_IN = "sign_in"


class WithoutCount(StrEnum):
    """What becomes of a request that the replicas cannot count together: open or closed."""

    SERVE = "serve"
    """Each replica counts for itself, so a caller gets the limit once from each."""
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How often something may be done: `per_second` for ever, and up to `burst` times at once."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Window:
    """A limit as a count: at most so many requests in so many seconds."""

    requests: int
    seconds: int


def window_of(limit: RateLimit) -> Window:
    """Return the shortest window of whole seconds that allows the burst at once, and the rate for ever."""
    seconds = max(math.ceil(limit.burst / limit.per_second), 1)
    return Window(max(limit.burst, math.floor(limit.per_second * seconds)), seconds)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Tokens at a time in seconds. A new caller's bucket is full."""

    tokens: float
    at: float


def take(limit: RateLimit, bucket: Bucket, *, now: float) -> tuple[Bucket, float]:
    """Take one token. Return the bucket, and the seconds until there is one: 0 if it was taken."""
    tokens = min(float(limit.burst), bucket.tokens + max(now - bucket.at, 0.0) * limit.per_second)
    if tokens >= 1:
        return Bucket(tokens - 1, now), 0.0
    return Bucket(tokens, now), (1 - tokens) / limit.per_second


@dataclass(slots=True)
class RateLimiter:
    """One bucket for each key. Of more than `keys_max` keys the one that asked longest ago is forgotten, as if it were new."""

    limit: RateLimit
    keys_max: int = 50_000
    _buckets: OrderedDict[Hashable, Bucket] = field(default_factory=OrderedDict)

    def wait_seconds(self, key: Hashable, *, now: float) -> int:
        """Take one token of the key's bucket. Return 0, or the whole seconds to wait for the next."""
        bucket = self._buckets.get(key) or Bucket(float(self.limit.burst), now)
        self._buckets[key], wait_seconds = take(self.limit, bucket, now=now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self.keys_max:
            self._buckets.popitem(last=False)
        return math.ceil(wait_seconds)


@dataclass(slots=True)
class Counts:
    """How many of something each key has now, and all keys together."""

    each_max: int
    total_max: int
    total: int = 0
    _each: dict[Hashable, int] = field(default_factory=dict)

    def is_full(self, key: Hashable) -> bool:
        return self.total >= self.total_max or self._each.get(key, 0) >= self.each_max

    def enter(self, key: Hashable) -> bool:
        """Count one more of this key; False if it has as many as it may, or all have."""
        if self.is_full(key):
            return False
        self.total += 1
        self._each[key] = self._each.get(key, 0) + 1
        return True

    def leave(self, key: Hashable) -> None:
        """Count one less of a key that entered."""
        self.total -= 1
        if (left := self._each[key] - 1) > 0:
            self._each[key] = left
        else:
            del self._each[key]


def address_group(host: str) -> str:
    """Return whom an address counts for: itself, or its /64 in IPv6, which one subscriber has whole."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))
