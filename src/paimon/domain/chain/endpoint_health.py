"""What a pool knows of one RPC endpoint, as values: how far it has come, how well it answers, and how much it takes.

Every change returns a new value; the clock (seconds of any monotonic clock) and the jitter are arguments. Three small
machines stand in it, each learning from answers alone:

- `Breaker`: closed → open after failures in a row → half-open when its rest is over and one question may try it → closed.
- `Concurrency`: requests at a time, one more for each full round answered, half as many when the endpoint says it is too much.
- `RangeSize`: blocks of one `eth_getLogs`, grown while answered, cut when refused, never again above what a provider caps.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from paimon.domain.chain.rpc_error_rules import Diagnosis, RpcErrorKind


class EndpointUse(StrEnum):
    """What an endpoint may be asked."""

    READ = "read"
    WRITE = "write"
    """Broadcasts."""
    ARCHIVE = "archive"
    """State of blocks that a full node has forgotten; it is preferred for those."""


CONSECUTIVE_FAILURES_MAX: Final = 3
_OPEN_SECONDS: Final = 1.0
_OPEN_SECONDS_MAX: Final = 60.0
_DOUBLINGS_MAX: Final = 10
"""An endpoint may be away for weeks; no power of two has to be."""


class BreakerStatus(StrEnum):
    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """Rests an endpoint that fails several times in a row, twice as long each time it fails again."""

    status: BreakerStatus = BreakerStatus.CLOSED
    failures: int = 0
    """In a row."""
    open_count: int = 0
    """Since it was last well."""
    open_until: float = 0.0

    def after_failure(self, now: float, *, jitter: float) -> "CircuitBreaker":
        """`jitter` from 0 to 1 spreads the return of many processes over half a rest to one and a half."""
        failures = self.failures + 1
        if self.status is BreakerStatus.OPEN or (self.status is BreakerStatus.CLOSED and failures < CONSECUTIVE_FAILURES_MAX):
            return replace(self, failures=failures)
        open_seconds = min(_OPEN_SECONDS * 2 ** min(self.open_count, _DOUBLINGS_MAX), _OPEN_SECONDS_MAX) * (0.5 + jitter)
        return CircuitBreaker(BreakerStatus.OPEN, failures, self.open_count + 1, now + open_seconds)

    def after_success(self) -> "CircuitBreaker":
        """Whoever answered is well, whatever let it be asked."""
        return CircuitBreaker()

    def is_probe_due(self, now: float) -> bool:
        """Whether its rest is over and nobody tries it yet."""
        return self.status is BreakerStatus.OPEN and now >= self.open_until

    def begin_probe(self) -> "CircuitBreaker":
        """One question may find out."""
        return replace(self, status=BreakerStatus.HALF_OPEN)


CONCURRENCY_MAX: Final = 64
_REDUCTION_INTERVAL_SECONDS: Final = 1.0
"""One overload answers all requests under way alike: it is one reason to slow down."""


@dataclass(frozen=True, slots=True)
class ConcurrencyLimit:
    """Additive increase, multiplicative decrease."""

    limit: float = 8.0
    reduced_at: float | None = None

    def after_response(self, active_requests: int) -> "ConcurrencyLimit":
        """`busy` requests were under way: a limit that nobody came near has not been shown to be too low."""
        if active_requests * 2 < int(self.limit):
            return self
        return replace(self, limit=min(self.limit + 1 / self.limit, float(CONCURRENCY_MAX)))

    def after_overload(self, now: float) -> "ConcurrencyLimit":
        if self.reduced_at is not None and now - self.reduced_at < _REDUCTION_INTERVAL_SECONDS:
            return self
        return ConcurrencyLimit(max(self.limit / 2, 1.0), now)


RANGE_BLOCKS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class RangeSize:
    """How many blocks to ask the logs of at once."""

    blocks: int = 2_000
    blocks_max: int = RANGE_BLOCKS_MAX

    def after_response(self, requested_blocks: int) -> "RangeSize":
        """A quarter more, once as much as this was answered."""
        if requested_blocks < self.blocks:
            return self
        return replace(self, blocks=min(self.blocks + max(self.blocks // 4, 1), self.blocks_max))

    def after_rejection(self, requested_blocks: int, diagnosis: Diagnosis) -> "RangeSize":
        """A cap is the provider's rule and stays; too many results were too many in these blocks only."""
        blocks = narrower_range(requested_blocks, diagnosis)
        return RangeSize(blocks, blocks if diagnosis.kind is RpcErrorKind.RANGE_CAP else self.blocks_max)


def narrower_range(requested_blocks: int, diagnosis: Diagnosis) -> int:
    """How many blocks to ask for instead: what the node itself names, if that is fewer, else half."""
    named = diagnosis.blocks
    return named if named is not None and named < requested_blocks else max(requested_blocks // 2, 1)


_LATENCY_WEIGHT: Final = 0.2
_ERROR_WEIGHT: Final = 0.1


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """One endpoint, as its answers so far show it."""

    head: int | None = None
    latency_seconds: float | None = None
    error_rate: float = 0.0
    last_response_at: float | None = None
    breaker: CircuitBreaker = CircuitBreaker()
    concurrency: ConcurrencyLimit = ConcurrencyLimit()
    range_size: RangeSize = RangeSize()

    def after_response(self, seconds: float, now: float, *, active_requests: int) -> "EndpointHealth":
        before = self.latency_seconds
        return replace(
            self,
            latency_seconds=seconds if before is None else before + _LATENCY_WEIGHT * (seconds - before),
            error_rate=self.error_rate * (1 - _ERROR_WEIGHT),
            last_response_at=now,
            breaker=self.breaker.after_success(),
            concurrency=self.concurrency.after_response(active_requests),
        )

    def after_failure(self, now: float, *, jitter: float, is_overloaded: bool) -> "EndpointHealth":
        """No usable answer. `overloaded` where it said so, or said nothing in time."""
        return replace(
            self,
            error_rate=self.error_rate + _ERROR_WEIGHT * (1 - self.error_rate),
            breaker=self.breaker.after_failure(now, jitter=jitter),
            concurrency=self.concurrency.after_overload(now) if is_overloaded else self.concurrency,
        )

    def with_known_block(self, number: int) -> "EndpointHealth":
        """It showed this block, so it has come at least so far."""
        return self if self.head is not None and self.head >= number else replace(self, head=number)

    def with_missing_block(self, number: int) -> "EndpointHealth":
        """It does not know this block: whatever it said before, ask it for its head before believing it again."""
        return replace(self, head=number - 1) if self.head is not None and self.head >= number else self

    def with_head(self, number: int) -> "EndpointHealth":
        """It named its head itself, which may go back: behind one URL there are often several nodes."""
        return replace(self, head=number)

    def has_reached(self, number: int) -> bool:
        return self.head is not None and self.head >= number

    @property
    def is_circuit_open(self) -> bool:
        return self.breaker.status is not BreakerStatus.CLOSED

    def is_probe_due(self, now: float, *, after_seconds: float) -> bool:
        """Whether to look at it: its rest is over, or nothing was heard of it for so long."""
        if self.is_circuit_open:
            return self.breaker.is_probe_due(now)
        return self.last_response_at is None or now - self.last_response_at >= after_seconds

    def begin_probe(self) -> "EndpointHealth":
        return replace(self, breaker=self.breaker.begin_probe()) if self.is_circuit_open else self

    def expected_seconds(self, active_requests: int) -> float:
        """Seconds one more request would take here, errors counted as the second they cost; unknown is worth a try."""
        waiting = 1 + active_requests / self.concurrency.limit
        return (self.latency_seconds or 0.0) * waiting + self.error_rate
