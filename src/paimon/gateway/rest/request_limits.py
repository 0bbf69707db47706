"""Limits of the API's callers: requests per address and per person, sockets per address and per person.

Each replica counts for itself. The address is the one of the connection, or the one that a trusted proxy names.
"""

import asyncio
import time
from collections.abc import Callable, Hashable
from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from paimon.domain.kernel.chain import Address
from paimon.domain.operations.rate_limit import Counts, RateLimit, RateLimiter, address_group
from paimon.errors import RateLimited
from paimon.gateway.rest.envelope import ErrorCode
from paimon.gateway.rest.errors import error_response
from paimon.settings import ApiSettings

_SIGN_INS_AT_ONCE: Final = 4
"""Sign-ins that may use the database at the same time: their callers may not take what signed-in users need."""

_KEYS_AT_ONCE: Final = 4
"""API keys that may be looked up at the same time: made-up ones cost a look too."""


class RequestLimits:
    """The counts of one process."""

    def __init__(self, options: ApiSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._addresses = RateLimiter(RateLimit(options.requests_per_second_per_address, options.requests_burst_per_address))
        self._persons = RateLimiter(RateLimit(options.requests_per_second_per_person, options.requests_burst_per_person))
        self._sign_ins = RateLimiter(
            RateLimit(options.sign_ins_per_minute_per_address / 60, options.sign_ins_burst_per_address)
        )
        self.sockets_of_address = Counts(options.ws_sockets_per_address_max, options.ws_sockets_max)
        self.sockets_of_person = Counts(options.ws_sockets_per_person_max, options.ws_sockets_max)
        self.sign_in_slots = asyncio.Semaphore(_SIGN_INS_AT_ONCE)
        self.key_slots = asyncio.Semaphore(_KEYS_AT_ONCE)

    def refusal_of_address(self, scope: Scope) -> Response | None:
        """Count a request of an address; return the 429 if it sends too many."""
        try:
            self._require(self._addresses, address_of(scope), "requests from this address")
        except RateLimited as refusal:
            return rate_limited_response(refusal)
        return None

    def require_sign_in_allowed(self, connection: HTTPConnection) -> None:
        """Count a challenge or a sign-in of an address. Raises RateLimited."""
        self._require(self._sign_ins, address_of(connection.scope), "sign-ins from this address")

    def require_person_allowed(self, person: Address) -> None:
        """Count a request of a signed-in person. Raises RateLimited."""
        self._require(self._persons, person, "requests of this person")

    def _require(self, limiter: RateLimiter, key: Hashable, of_what: str) -> None:
        if seconds := limiter.wait_seconds(key, now=self._clock()):
            raise RateLimited(f"too many {of_what}; try again in {seconds} s", retry_after_seconds=seconds)


def address_of(scope: Scope) -> str:
    """Return the address, or the IPv6 network, that a request counts for."""
    client = scope.get("client")
    return address_group(client[0]) if client else "unknown"


def rate_limited_response(refusal: RateLimited) -> Response:
    headers = {"Retry-After": str(refusal.retry_after_seconds)}
    return error_response(429, ErrorCode.RATE_LIMITED, str(refusal), headers=headers)
