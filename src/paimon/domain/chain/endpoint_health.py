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

from paimon.domain.chain.rpc_error_rules import Diagnosis, NodeFault


class Use(StrEnum):
    """What an endpoint may be asked."""

    READ = "read"
    WRITE = "write"
    """Broadcasts."""
    ARCHIVE = "archive"
    """State of blocks that a full node has forgotten; it is preferred for those."""


FAILURES_MAX: Final = 3
_REST_SECONDS: Final = 1.0
_REST_SECONDS_MAX: Final = 60.0
_DOUBLINGS_MAX: Final = 10
"""An endpoint may be away for weeks; no power of two has to be."""


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """Rests an endpoint that fails several times in a row, twice as long each time it fails again."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    """In a row."""
    rests: int = 0
    """Since it was last well."""
    until: float = 0.0

    def failed(self, now: float, *, jitter: float) -> "Breaker":
        """`jitter` from 0 to 1 spreads the return of many processes over half a rest to one and a half."""
        failures = self.failures + 1
        if self.state is BreakerState.OPEN or (self.state is BreakerState.CLOSED and failures < FAILURES_MAX):
            return replace(self, failures=failures)
        rest = min(_REST_SECONDS * 2 ** min(self.rests, _DOUBLINGS_MAX), _REST_SECONDS_MAX) * (0.5 + jitter)
        return Breaker(BreakerState.OPEN, failures, self.rests + 1, now + rest)

    def succeeded(self) -> "Breaker":
        """Whoever answered is well, whatever let it be asked."""
        return Breaker()

    def is_due(self, now: float) -> bool:
        """Whether its rest is over and nobody tries it yet."""
        return self.state is BreakerState.OPEN and now >= self.until

    def tried(self) -> "Breaker":
        """One question may find out."""
        return replace(self, state=BreakerState.HALF_OPEN)


CONCURRENCY_MAX: Final = 64
_CUT_APART_SECONDS: Final = 1.0
"""One overload answers all requests under way alike: it is one reason to slow down."""


@dataclass(frozen=True, slots=True)
class Concurrency:
    """Additive increase, multiplicative decrease."""

    limit: float = 8.0
    cut_at: float | None = None

    def answered(self, busy: int) -> "Concurrency":
        """`busy` requests were under way: a limit that nobody came near has not been shown to be too low."""
        if busy * 2 < int(self.limit):
            return self
        return replace(self, limit=min(self.limit + 1 / self.limit, float(CONCURRENCY_MAX)))

    def overloaded(self, now: float) -> "Concurrency":
        if self.cut_at is not None and now - self.cut_at < _CUT_APART_SECONDS:
            return self
        return Concurrency(max(self.limit / 2, 1.0), now)


RANGE_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class RangeSize:
    """How many blocks to ask the logs of at once."""

    blocks: int = 2_000
    ceiling: int = RANGE_MAX

    def answered(self, asked: int) -> "RangeSize":
        """A quarter more, once as much as this was answered."""
        if asked < self.blocks:
            return self
        return replace(self, blocks=min(self.blocks + max(self.blocks // 4, 1), self.ceiling))

    def refused(self, asked: int, diagnosis: Diagnosis) -> "RangeSize":
        """A cap is the provider's rule and stays; too many results were too many in these blocks only."""
        blocks = narrower(asked, diagnosis)
        return RangeSize(blocks, blocks if diagnosis.fault is NodeFault.RANGE_CAP else self.ceiling)


def narrower(asked: int, diagnosis: Diagnosis) -> int:
    """How many blocks to ask for instead: what the node itself names, if that is fewer, else half."""
    named = diagnosis.blocks
    return named if named is not None and named < asked else max(asked // 2, 1)


_LATENCY_WEIGHT: Final = 0.2
_ERROR_WEIGHT: Final = 0.1


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """One endpoint, as its answers so far show it."""

    head: int | None = None
    latency_seconds: float | None = None
    error_rate: float = 0.0
    heard_at: float | None = None
    breaker: Breaker = Breaker()
    concurrency: Concurrency = Concurrency()
    range_size: RangeSize = RangeSize()

    def answered(self, seconds: float, now: float, *, busy: int) -> "EndpointHealth":
        before = self.latency_seconds
        return replace(
            self,
            latency_seconds=seconds if before is None else before + _LATENCY_WEIGHT * (seconds - before),
            error_rate=self.error_rate * (1 - _ERROR_WEIGHT),
            heard_at=now,
            breaker=self.breaker.succeeded(),
            concurrency=self.concurrency.answered(busy),
        )

    def failed(self, now: float, *, jitter: float, overloaded: bool) -> "EndpointHealth":
        """No usable answer. `overloaded` where it said so, or said nothing in time."""
        return replace(
            self,
            error_rate=self.error_rate + _ERROR_WEIGHT * (1 - self.error_rate),
            breaker=self.breaker.failed(now, jitter=jitter),
            concurrency=self.concurrency.overloaded(now) if overloaded else self.concurrency,
        )

    def has_block(self, number: int) -> "EndpointHealth":
        """It showed this block, so it has come at least so far."""
        return self if self.head is not None and self.head >= number else replace(self, head=number)

    def lacks_block(self, number: int) -> "EndpointHealth":
        """It does not know this block: whatever it said before, ask it for its head before believing it again."""
        return replace(self, head=number - 1) if self.head is not None and self.head >= number else self

    def at_head(self, number: int) -> "EndpointHealth":
        """It named its head itself, which may go back: behind one URL there are often several nodes."""
        return replace(self, head=number)

    def has_reached(self, number: int) -> bool:
        return self.head is not None and self.head >= number

    @property
    def is_resting(self) -> bool:
        return self.breaker.state is not BreakerState.CLOSED

    def is_due(self, now: float, *, after_seconds: float) -> bool:
        """Whether to look at it: its rest is over, or nothing was heard of it for so long."""
        if self.is_resting:
            return self.breaker.is_due(now)
        return self.heard_at is None or now - self.heard_at >= after_seconds

    def tried(self) -> "EndpointHealth":
        return replace(self, breaker=self.breaker.tried()) if self.is_resting else self

    def cost(self, busy: int) -> float:
        """Seconds one more request would take here, errors counted as the second they cost; unknown is worth a try."""
        waiting = 1 + busy / self.concurrency.limit
        return (self.latency_seconds or 0.0) * waiting + self.error_rate
