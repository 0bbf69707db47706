"""Tests of an endpoint's breaker, concurrency and range size for any sequence of responses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from paimon.domain.chain.endpoint_health import (
    BATCH_MAX,
    CONCURRENCY_MAX,
    CONSECUTIVE_FAILURES_MAX,
    RANGE_BLOCKS_MAX,
    RETRY_AFTER_SECONDS_MAX,
    BatchSize,
    BreakerStatus,
    CircuitBreaker,
    ConcurrencyLimit,
    EndpointHealth,
    RangeSize,
    narrower_range,
)
from paimon.domain.chain.rpc_error_rules import Diagnosis, RpcErrorKind

pytestmark = pytest.mark.unit

UNIT = st.floats(0, 1)
SPLITTING = st.sampled_from([RpcErrorKind.RANGE_CAP, RpcErrorKind.TOO_MANY_RESULTS, RpcErrorKind.LOGS_TIMEOUT])
DIAGNOSES = st.builds(Diagnosis, SPLITTING, st.none() | st.integers(1, 20_000))


class BreakerMachine(RuleBasedStateMachine):
    """Compare the breaker with a model that counts failures in a row and openings since the last success."""

    @initialize()
    def start(self) -> None:
        self.breaker, self.now, self.failures, self.rested = CircuitBreaker(), 0.0, 0, 0

    @rule(seconds=st.floats(0, 200))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(jitter=UNIT)
    def fails(self, jitter: float) -> None:
        before = self.breaker
        self.breaker = before.after_failure(self.now, jitter=jitter)
        self.failures += 1
        if before.status is BreakerStatus.OPEN:
            assert self.breaker.open_until == before.open_until, "asked while it rests, it is not made to rest longer"
        elif before.status is BreakerStatus.HALF_OPEN or self.failures >= CONSECUTIVE_FAILURES_MAX:
            self.rested += 1
            assert self.breaker.open_until - self.now + 1e-6 >= 0.5
            assert self.breaker.open_until - self.now <= min(2.0 ** (self.rested - 1), 60) * 1.5 + 1e-6

    @rule()
    def answers(self) -> None:
        self.breaker, self.failures, self.rested = self.breaker.after_success(), 0, 0

    @precondition(lambda self: self.breaker.is_probe_due(self.now))
    @rule()
    def is_probed(self) -> None:
        self.breaker = self.breaker.begin_probe()
        assert not self.breaker.is_probe_due(self.now), "one question tries it, not all"

    @invariant()
    def is_closed_until_it_failed_often_enough(self) -> None:
        assert (self.breaker.status is BreakerStatus.CLOSED) == (self.failures < CONSECUTIVE_FAILURES_MAX)

    @invariant()
    def always_comes_back(self) -> None:
        if self.breaker.status is BreakerStatus.OPEN:
            assert self.breaker.is_probe_due(self.now + 91)


TestBreakerMachine = BreakerMachine.TestCase


def test_breaker_survives_weeks_of_failures() -> None:
    breaker, now = CircuitBreaker(), 0.0
    for _ in range(5_000):
        breaker = breaker.after_failure(now, jitter=0.5)
        if breaker.status is BreakerStatus.OPEN:
            assert breaker.open_until - now <= 60
            now = breaker.open_until
            breaker = breaker.begin_probe()


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 3), st.integers(1, CONCURRENCY_MAX)), max_size=60))
def test_concurrency_grows_by_one_a_round_and_halves_per_overload(
    events: list[tuple[bool, float, int]],
) -> None:
    concurrency, now = ConcurrencyLimit(), 0.0
    for is_overload, seconds, active_requests in events:
        now += seconds
        before = concurrency
        concurrency = before.after_overload(now) if is_overload else before.after_response(active_requests)
        assert 1 <= concurrency.limit <= CONCURRENCY_MAX
        if not is_overload:
            assert before.limit <= concurrency.limit <= before.limit + 1
        elif concurrency != before:
            assert concurrency.limit == max(before.limit / 2, 1)
            assert before.reduced_at is None or now - before.reduced_at >= 1


def test_concurrency_halves_once_when_many_requests_meet_one_overload() -> None:
    concurrency = ConcurrencyLimit(limit=32)
    for _ in range(20):
        concurrency = concurrency.after_overload(100.0)
    assert concurrency.limit == 16


def test_concurrency_does_not_grow_when_unused() -> None:
    assert ConcurrencyLimit(limit=8).after_response(active_requests=1).limit == 8


@given(st.integers(2, 100_000), DIAGNOSES)
def test_range_split_always_narrows(requested: int, diagnosis: Diagnosis) -> None:
    assert 1 <= narrower_range(requested, diagnosis) < requested


@given(st.integers(1, 20_000), st.lists(st.integers(1, 12_000), min_size=1, max_size=80))
def test_range_size_never_exceeds_a_found_cap(cap: int, ranges: list[int]) -> None:
    """The provider names no number: every rejection halves the size, and no size is rejected twice."""
    size, refused_at = RangeSize(), []
    for blocks in ranges * 4:
        requested = min(blocks, size.blocks)
        if requested > cap:
            refused_at.append(requested)
            size = size.after_rejection(requested, Diagnosis(RpcErrorKind.RANGE_CAP))
        else:
            size = size.after_response(requested)
        assert 1 <= size.blocks <= size.blocks_max <= RANGE_BLOCKS_MAX
    assert refused_at == sorted(set(refused_at), reverse=True)


@given(st.integers(2, 10_000), st.integers(1, 9_999))
def test_range_size_takes_cap_that_provider_names(requested: int, cap: int) -> None:
    size = RangeSize(blocks=requested).after_rejection(requested, Diagnosis(RpcErrorKind.RANGE_CAP, cap))
    assert size.blocks == size.blocks_max == (cap if cap < requested else requested // 2)


def test_range_size_grows_back_after_too_many_results() -> None:
    size = RangeSize(blocks=2_000).after_rejection(2_000, Diagnosis(RpcErrorKind.TOO_MANY_RESULTS))
    assert size.blocks == 1_000
    for _ in range(20):
        size = size.after_response(size.blocks)
    assert size.blocks == RANGE_BLOCKS_MAX


def test_range_size_ignores_responses_to_smaller_ranges() -> None:
    assert RangeSize(blocks=2_000).after_response(5) == RangeSize(blocks=2_000)


@given(st.lists(st.floats(0.001, 5), min_size=1, max_size=30), st.lists(UNIT, max_size=30))
def test_latency_and_error_rate_stay_between_observed_values(seconds: list[float], jitters: list[float]) -> None:
    health = EndpointHealth()
    for latency in seconds:
        health = health.after_response(latency, 0.0, active_requests=1)
    assert health.latency_seconds is not None
    assert min(seconds) - 1e-9 <= health.latency_seconds <= max(seconds) + 1e-9
    for jitter in jitters:
        before = health.error_rate
        health = health.after_failure(0.0, jitter=jitter, is_overloaded=False)
        assert before < health.error_rate < 1


@given(st.none() | st.integers(0, 1_000), st.integers(0, 1_000))
def test_head_is_bounded_by_known_and_missing_blocks(head: int | None, number: int) -> None:
    health = EndpointHealth(head=head)
    assert health.with_known_block(number).has_reached(number)
    assert not health.with_missing_block(number).has_reached(number)
    assert health.with_known_block(number).has_reached(head or 0)
    assert health.with_head(number).head == number


def test_expected_seconds_prefers_quick_idle_and_reliable_endpoints() -> None:
    quick, slow = (EndpointHealth().after_response(seconds, 0.0, active_requests=1) for seconds in (0.02, 0.2))
    assert quick.expected_seconds(0) < slow.expected_seconds(0)
    assert quick.expected_seconds(0) < quick.expected_seconds(8)
    assert quick.expected_seconds(0) < quick.after_failure(0.0, jitter=0.0, is_overloaded=False).expected_seconds(0)


@given(st.lists(st.tuples(st.booleans(), st.none() | st.integers(-5, 2_000), st.booleans()), max_size=60))
def test_batch_size_stays_in_bounds_and_halves_to_one(changes: list[tuple[bool, int | None, bool]]) -> None:
    size = BatchSize()
    for is_refused, named, is_cap in changes:
        before = size
        size = (
            size.after_refusal(size.requests, named=named, is_cap=is_cap) if is_refused else size.after_response(size.requests)
        )
        assert 1 <= size.requests <= size.requests_max <= BATCH_MAX
        assert size.requests < before.requests or not is_refused or before.requests == 1


def test_batch_size_grows_back_after_chance_but_not_above_a_cap() -> None:
    assert BatchSize().after_refusal(10, named=None, is_cap=False).after_response(5).requests == 6
    assert BatchSize().after_refusal(10, named=None, is_cap=True).after_response(5).requests == 5


@given(st.floats(-1e9, 1e9), st.floats(0, 1e6))
def test_requested_pause_is_bounded_and_ends(seconds: float, now: float) -> None:
    health = EndpointHealth().with_pause(seconds, now)
    assert 0 <= health.pause_seconds(now) <= RETRY_AFTER_SECONDS_MAX + 1e-6
    assert health.pause_seconds(now + RETRY_AFTER_SECONDS_MAX + 1) == 0
    assert not health.is_probe_due(now, after_seconds=0) or health.pause_seconds(now) == 0
    assert health.is_probe_due(now + RETRY_AFTER_SECONDS_MAX + 1, after_seconds=0)
