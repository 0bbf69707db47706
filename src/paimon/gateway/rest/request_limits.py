"""Limits of the API's callers: requests per address and per person, sockets per address and per person.

    request ──► this process's bucket ──► the count of all replicas in Redis ──► served
                    │ empty                    │ full            │ Redis does not answer
                    └──────────► 429 ◄─────────┘                 └─► the group's setting: served, or 503

The bucket of the process bounds what a replica takes even where someone deletes the counts in Redis. Sockets are counted by
each replica for itself: it is its memory that they take. The address is the one of the connection, or the one that a trusted
proxy names.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from paimon.domain.kernel.chain import Address
from paimon.domain.operations.health import ComponentHealth, HealthStatus
from paimon.domain.operations.rate_limit import Counts, LimitGroup, RateLimit, RateLimiter, WithoutCount, address_group
from paimon.errors import RateLimited, Unavailable
from paimon.gateway.rest.envelope import ErrorCode
from paimon.gateway.rest.errors import error_response
from paimon.infrastructure.cache.shared_limits import SharedLimits, SharedLimitsUnavailable
from paimon.infrastructure.observability.metrics import REQUESTS_NOT_COUNTED
from paimon.settings import ApiSettings

log = structlog.get_logger(__name__)

_SIGN_INS_AT_ONCE: Final = 4
"""Sign-ins that may use the database at the same time: their callers may not take what signed-in users need."""

_KEYS_AT_ONCE: Final = 4
"""API keys that may be looked up at the same time: made-up ones cost a look too."""

_REFUSALS_RECORDED: Final = RateLimit(per_second=0.1, burst=60)
"""Refusals of one person that become entries of the audit trail: enough to tell what someone tried. More are counted."""

_REFUSALS_PAUSED_MAX: Final = 256
"""Refusals of addresses that wait at the same time; more are answered at once. They hold connections, also those of a proxy."""

_RECENT_SECONDS: Final = 60.0
"""How long the health report shows that a request was not counted with the other replicas."""

_PATHS_OF_HEALTH: Final = ("/health/live", "/health/ready", "/system/health")
"""Requests that this process counts alone: load balancers and operators ask them also, and most of all, while Redis is away."""

_EFFECTS: Final = {WithoutCount.SERVE: "counted by each replica for itself", WithoutCount.REFUSE: "refused"}


@dataclass(frozen=True, slots=True)
class _Group:
    of_what: str
    limit: RateLimit
    bucket: RateLimiter
    without_count: WithoutCount

    @classmethod
    def of(cls, of_what: str, limit: RateLimit, without_count: WithoutCount) -> "_Group":
        return cls(of_what, limit, RateLimiter(limit), without_count)


class RequestLimits:
    """The limits of one process, some counted together with the other replicas."""

    def __init__(self, options: ApiSettings, shared: SharedLimits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._shared = shared
        self._not_counted_at: dict[LimitGroup, float] = {}
        self._groups = {
            LimitGroup.ADDRESS: _Group.of(
                "requests from this address",
                RateLimit(options.requests_per_second_per_address, options.requests_burst_per_address),
                options.address_limit_without_redis,
            ),
            LimitGroup.PERSON: _Group.of(
                "requests of this person",
                RateLimit(options.requests_per_second_per_person, options.requests_burst_per_person),
                options.person_limit_without_redis,
            ),
            LimitGroup.SIGN_IN: _Group.of(
                "sign-ins from this address",
                RateLimit(options.sign_ins_per_minute_per_address / 60, options.sign_ins_burst_per_address),
                options.sign_in_limit_without_redis,
            ),
        }
        self._refusals = RateLimiter(_REFUSALS_RECORDED)
        self._refusal_pause_seconds = options.refusal_pause_seconds
        self._refusals_paused = 0
        self.sockets_of_address = Counts(options.ws_sockets_per_address_max, options.ws_sockets_max)
        self.sockets_of_person = Counts(options.ws_sockets_per_person_max, options.ws_sockets_max)
        self.sign_in_slots = asyncio.Semaphore(_SIGN_INS_AT_ONCE)
        self.key_slots = asyncio.Semaphore(_KEYS_AT_ONCE)

    async def refusal_of_address(self, scope: Scope) -> Response | None:
        """Count a request of an address; return the 429 if it sends too many, the 503 if it cannot be counted and must be.

        The 429 comes after a pause: answered at once, refusals that are sent again and again delay everyone else's requests.
        """
        try:
            await self._require(LimitGroup.ADDRESS, address_of(scope), scope)
        except RateLimited as refusal:
            await self._pause_refusal()
            return rate_limited_response(refusal)
        except Unavailable as refusal:
            return error_response(503, ErrorCode.SERVICE_UNAVAILABLE, str(refusal))
        return None

    async def _pause_refusal(self) -> None:
        if self._refusals_paused >= _REFUSALS_PAUSED_MAX:
            return
        self._refusals_paused += 1
        try:
            await asyncio.sleep(self._refusal_pause_seconds)
        finally:
            self._refusals_paused -= 1

    async def require_sign_in_allowed(self, connection: HTTPConnection) -> None:
        """Count a challenge or a sign-in of an address. Raises RateLimited, Unavailable."""
        await self._require(LimitGroup.SIGN_IN, address_of(connection.scope), connection.scope)

    async def require_person_allowed(self, person: Address, connection: HTTPConnection) -> None:
        """Count a request of a signed-in person. Raises RateLimited, Unavailable."""
        await self._require(LimitGroup.PERSON, person.hex(), connection.scope)

    def records_refusal(self, person: Address) -> bool:
        """Return whether this refusal of the person becomes an entry of the audit trail, whose entries no one can remove."""
        return not self._refusals.wait_seconds(person, now=self._clock())

    async def _require(self, name: LimitGroup, key: str, scope: Scope) -> None:
        group = self._groups[name]
        seconds = group.bucket.wait_seconds(key, now=self._clock())
        if not seconds and not scope["path"].endswith(_PATHS_OF_HEALTH):
            try:
                seconds = await self._shared.wait_seconds(name.value, group.limit, key)
            except SharedLimitsUnavailable as error:
                self._accept_uncounted(name, group, error)
        if seconds:
            raise RateLimited(f"too many {group.of_what}; try again in {seconds} s", retry_after_seconds=seconds)

    def _accept_uncounted(self, name: LimitGroup, group: _Group, error: SharedLimitsUnavailable) -> None:
        """Do as the group's setting says with a request that Redis did not count. Raises Unavailable."""
        REQUESTS_NOT_COUNTED.labels(name.value, group.without_count.value).inc()
        if self._seconds_since_uncounted(name) > _RECENT_SECONDS:
            log.error("limits.not_counted", group=name.value, requests=group.without_count.value, reason=str(error))
        self._not_counted_at[name] = self._clock()
        if group.without_count is WithoutCount.REFUSE:
            raise Unavailable(f"{group.of_what} cannot be counted while Redis does not answer; try again shortly") from error

    def _seconds_since_uncounted(self, name: LimitGroup) -> float:
        return self._clock() - self._not_counted_at.get(name, float("-inf"))

    def health(self) -> ComponentHealth:
        """Judge whether the replicas count together."""
        uncounted = [name for name in LimitGroup if self._seconds_since_uncounted(name) <= _RECENT_SECONDS]
        if not uncounted:
            return ComponentHealth("request_limits", HealthStatus.OK, "counted with all replicas")
        summary = "; ".join(f"{name.value} {_EFFECTS[self._groups[name].without_count]}" for name in uncounted)
        details = {name.value: {"seconds_ago": round(self._seconds_since_uncounted(name), 1)} for name in uncounted}
        return ComponentHealth("request_limits", HealthStatus.DEGRADED, f"Redis did not count: {summary}", details)

    async def aclose(self) -> None:
        await self._shared.aclose()


def address_of(scope: Scope) -> str:
    """Return the address, or the IPv6 network, that a request counts for."""
    client = scope.get("client")
    return address_group(client[0]) if client else "unknown"


def rate_limited_response(refusal: RateLimited) -> Response:
    headers = {"Retry-After": str(refusal.retry_after_seconds)}
    return error_response(429, ErrorCode.RATE_LIMITED, str(refusal), headers=headers)
