"""Health of one RPC endpoint as frozen values: its head, its speed, its errors, and the load it accepts.

Every change returns a new value. The clock (seconds of any monotonic clock) and the jitter are arguments. Four small
state machines learn from responses alone:

- `CircuitBreaker`: closed → open after failures in a row → half-open when the pause is over and one probe may test the
  endpoint → closed.
- `ConcurrencyLimit`: requests at a time; one more for each full round of responses, half as many after an overload.
- `RangeSize`: blocks of one `eth_getLogs`; grows after responses, shrinks after rejections, never exceeds a provider's cap.
- `BatchSize`: requests of one HTTP request; grows by one after responses, halves after refusals.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from paimon.domain.chain.rpc_error_rules import Diagnosis, RpcErrorKind


class EndpointUse(StrEnum):
    """What an endpoint may be used for."""

    READ = "read"
    WRITE = "write"
    """Broadcasts of transactions."""
    ARCHIVE = "archive"
    """State of blocks that full nodes have pruned. Such requests prefer these endpoints."""


CONSECUTIVE_FAILURES_MAX: Final = 3
_OPEN_SECONDS: Final = 1.0
_OPEN_SECONDS_MAX: Final = 60.0
_DOUBLINGS_MAX: Final = 10
"""Bounds the exponent: an endpoint may be unreachable for weeks."""


class BreakerStatus(StrEnum):
    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """Pauses an endpoint that fails several times in a row; each further failure doubles the pause."""

    status: BreakerStatus = BreakerStatus.CLOSED
    failures: int = 0
    """Failures in a row."""
    open_count: int = 0
    """Times the breaker opened since the last success."""
    open_until: float = 0.0

    def after_failure(self, now: float, *, jitter: float) -> "CircuitBreaker":
        """Count a failure and open the breaker when there are too many.

        `jitter`, from 0 to 1, spreads the return of many processes over half to one and a half of the pause.
        """
        failures = self.failures + 1
        if self.status is BreakerStatus.OPEN or (self.status is BreakerStatus.CLOSED and failures < CONSECUTIVE_FAILURES_MAX):
            return replace(self, failures=failures)
        open_seconds = min(_OPEN_SECONDS * 2 ** min(self.open_count, _DOUBLINGS_MAX), _OPEN_SECONDS_MAX) * (0.5 + jitter)
        return CircuitBreaker(BreakerStatus.OPEN, failures, self.open_count + 1, now + open_seconds)

    def after_success(self) -> "CircuitBreaker":
        """Close the breaker: any response proves that the endpoint works."""
        return CircuitBreaker()

    def is_probe_due(self, now: float) -> bool:
        """Report whether the pause is over and no probe is under way."""
        return self.status is BreakerStatus.OPEN and now >= self.open_until

    def begin_probe(self) -> "CircuitBreaker":
        """Let one request test the endpoint."""
        return replace(self, status=BreakerStatus.HALF_OPEN)


CONCURRENCY_MAX: Final = 64
_REDUCTION_INTERVAL_SECONDS: Final = 1.0
"""One overload fails all requests in flight alike: it is one reason to slow down."""


@dataclass(frozen=True, slots=True)
class ConcurrencyLimit:
    """Limit of requests in flight: additive increase, multiplicative decrease."""

    limit: float = 8.0
    reduced_at: float | None = None

    def after_response(self, active_requests: int) -> "ConcurrencyLimit":
        """Raise the limit, unless fewer than half of it was in use: an unused limit is not proven too low."""
        if active_requests * 2 < int(self.limit):
            return self
        return replace(self, limit=min(self.limit + 1 / self.limit, float(CONCURRENCY_MAX)))

    def after_overload(self, now: float) -> "ConcurrencyLimit":
        """Halve the limit, at most once an interval."""
        if self.reduced_at is not None and now - self.reduced_at < _REDUCTION_INTERVAL_SECONDS:
            return self
        return ConcurrencyLimit(max(self.limit / 2, 1.0), now)


RANGE_BLOCKS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class RangeSize:
    """Number of blocks to request logs for at once."""

    blocks: int = 2_000
    blocks_max: int = RANGE_BLOCKS_MAX

    def after_response(self, requested_blocks: int) -> "RangeSize":
        """Grow by a quarter after a response to a range of at least this size."""
        if requested_blocks < self.blocks:
            return self
        return replace(self, blocks=min(self.blocks + max(self.blocks // 4, 1), self.blocks_max))

    def after_rejection(self, requested_blocks: int, diagnosis: Diagnosis) -> "RangeSize":
        """Shrink. A range cap is the provider's rule and stays; too many results concern these blocks only."""
        blocks = narrower_range(requested_blocks, diagnosis)
        return RangeSize(blocks, blocks if diagnosis.kind is RpcErrorKind.RANGE_CAP else self.blocks_max)


def narrower_range(requested_blocks: int, diagnosis: Diagnosis) -> int:
    """Choose a smaller range: the one the node names, if it is smaller, else half."""
    named = diagnosis.blocks
    return named if named is not None and named < requested_blocks else max(requested_blocks // 2, 1)


BATCH_MAX: Final = 1_000
"""Requests in one HTTP request, until an endpoint refuses so many. Sources: Ankr 1 000, NodeReal 500, Erigon 100."""


@dataclass(frozen=True, slots=True)
class BatchSize:
    """Number of requests to send at once."""

    requests: int = BATCH_MAX
    requests_max: int = BATCH_MAX

    def after_response(self, sent: int) -> "BatchSize":
        """Grow by one after a response to a batch of this size: what looked like a refusal may have been chance."""
        return self if sent < self.requests else replace(self, requests=min(self.requests + 1, self.requests_max))

    def after_refusal(self, sent: int, *, named: int | None, is_cap: bool) -> "BatchSize":
        """Take the number that the endpoint names, else half. A cap in plain words is the endpoint's rule and stays."""
        requests = named if named is not None and 0 < named < sent else max(sent // 2, 1)
        return BatchSize(requests, requests if is_cap else self.requests_max)


RETRY_AFTER_SECONDS_MAX: Final = 60.0
"""Longest pause that an endpoint can ask for: its clock or its words may be wrong."""

_LATENCY_WEIGHT: Final = 0.2
_ERROR_WEIGHT: Final = 0.1


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """Health of one endpoint, as its responses so far show it."""

    head: int | None = None
    latency_seconds: float | None = None
    error_rate: float = 0.0
    last_response_at: float | None = None
    breaker: CircuitBreaker = CircuitBreaker()
    concurrency: ConcurrencyLimit = ConcurrencyLimit()
    range_size: RangeSize = RangeSize()
    batch_size: BatchSize = BatchSize()
    resumes_at: float = 0.0
    """When the pause that the endpoint asked for is over."""

    def after_response(self, seconds: float, now: float, *, active_requests: int) -> "EndpointHealth":
        """Record a response that took `seconds`."""
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
        """Record a request without a usable response. `is_overloaded`: the endpoint said so, or did not answer in time."""
        return replace(
            self,
            error_rate=self.error_rate + _ERROR_WEIGHT * (1 - self.error_rate),
            breaker=self.breaker.after_failure(now, jitter=jitter),
            concurrency=self.concurrency.after_overload(now) if is_overloaded else self.concurrency,
        )

    def with_pause(self, seconds: float, now: float) -> "EndpointHealth":
        """Record that the endpoint asked for a pause."""
        return replace(self, resumes_at=max(self.resumes_at, now + min(max(seconds, 0.0), RETRY_AFTER_SECONDS_MAX)))

    def pause_seconds(self, now: float) -> float:
        """Return for how long the endpoint asked to be left alone; 0 when it did not, or no longer."""
        return max(self.resumes_at - now, 0.0)

    def with_known_block(self, number: int) -> "EndpointHealth":
        """Record that the endpoint returned this block, so its head is at least there."""
        return self if self.head is not None and self.head >= number else replace(self, head=number)

    def with_missing_block(self, number: int) -> "EndpointHealth":
        """Record that the endpoint does not know this block: its head is requested again before it is trusted."""
        return replace(self, head=number - 1) if self.head is not None and self.head >= number else self

    def with_head(self, number: int) -> "EndpointHealth":
        """Record the head the endpoint reported. It may go back: one URL often serves several nodes."""
        return replace(self, head=number)

    def has_reached(self, number: int) -> bool:
        return self.head is not None and self.head >= number

    @property
    def is_circuit_open(self) -> bool:
        return self.breaker.status is not BreakerStatus.CLOSED

    def is_probe_due(self, now: float, *, after_seconds: float) -> bool:
        """Report whether to probe the endpoint: its pause is over, or it has been silent for `after_seconds`."""
        if self.pause_seconds(now) > 0:
            return False
        if self.is_circuit_open:
            return self.breaker.is_probe_due(now)
        return self.last_response_at is None or now - self.last_response_at >= after_seconds

    def begin_probe(self) -> "EndpointHealth":
        return replace(self, breaker=self.breaker.begin_probe()) if self.is_circuit_open else self

    def expected_seconds(self, active_requests: int) -> float:
        """Estimate the seconds one more request takes here. An error counts as a second; an unknown latency counts as none."""
        waiting = 1 + active_requests / self.concurrency.limit
        return (self.latency_seconds or 0.0) * waiting + self.error_rate
