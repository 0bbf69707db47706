"""Tests of rate limits: no caller gets more than the limit in any span, and memory is bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.operations.rate_limit import Counts, RateLimit, RateLimiter, address_group

pytestmark = pytest.mark.unit


@given(
    per_second=st.floats(0.1, 100),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 5), max_size=200),
)
def test_no_span_of_time_has_more_than_the_burst_and_the_rate(per_second: float, burst: int, pauses: list[float]) -> None:
    limiter, now, taken = RateLimiter(RateLimit(per_second, burst)), 100.0, []
    for pause in pauses:
        now += pause
        if limiter.wait_seconds("key", now=now) == 0:
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + (taken[last] - taken[first]) * per_second + 1e-6


def test_caller_who_waits_as_told_is_served() -> None:
    limiter = RateLimiter(RateLimit(0.3, 2))
    now = 5.0
    for _ in range(20):
        now += limiter.wait_seconds("key", now=now)
        while wait := limiter.wait_seconds("key", now=now):
            assert wait >= 1
            now += wait


def test_callers_do_not_share_a_limit_and_old_ones_are_forgotten() -> None:
    limiter = RateLimiter(RateLimit(0.001, 1), keys_max=100)
    for number in range(10_000):
        assert limiter.wait_seconds(number, now=1.0) == 0
    assert len(limiter._buckets) == 100


def test_counts_bound_each_key_and_all_together_and_come_back_to_nothing() -> None:
    counts = Counts(each_max=2, total_max=3)
    assert [counts.enter(key) for key in ("a", "a", "a", "b", "c")] == [True, True, False, True, False]
    for key in ("a", "a", "b"):
        counts.leave(key)
    assert (counts.total, counts._each) == (0, {})


@pytest.mark.parametrize(
    ("host", "group"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_address_counts_for_what_one_subscriber_has(host: str, group: str) -> None:
    assert address_group(host) == group
