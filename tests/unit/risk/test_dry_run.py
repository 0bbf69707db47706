"""Tests of the dry run of thresholds: breaches in hours, and each hour in exactly the breach it belongs to."""

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.snapshots import NOON

from paimon.domain.risk.dry_run import Breach, IndicatorHour, find_breaches
from paimon.domain.risk.risk_policy import (
    DEFAULT_THRESHOLDS,
    DEFINITIONS,
    IndicatorName,
    IndicatorStatus,
    RiskPolicy,
    Threshold,
)

pytestmark = pytest.mark.unit

L1: Final = IndicatorName.L1_RATIO
RATE: Final = IndicatorName.DAILY_REDEMPTION_RATE
HOUR: Final = timedelta(hours=1)


def hours(*bounds: tuple[str, str]) -> list[IndicatorHour]:
    return [IndicatorHour(NOON + place * HOUR, Decimal(low), Decimal(high)) for place, (low, high) in enumerate(bounds)]


def test_hours_of_a_breach_that_follow_each_other_are_one_breach() -> None:
    taken = hours(("0.11", "0.2"), ("0.09", "0.2"), ("0.07", "0.07"), ("0.1", "0.1"), ("0.09", "0.2"))
    assert find_breaches(L1, taken, DEFAULT_THRESHOLDS[L1]) == (
        Breach(NOON + HOUR, NOON + 3 * HOUR, IndicatorStatus.CRITICAL, Decimal("0.07")),
        Breach(NOON + 4 * HOUR, NOON + 5 * HOUR, IndicatorStatus.WARNING, Decimal("0.09")),
    )


def test_hour_counts_by_its_bad_side() -> None:
    mixed = hours(("0.01", "0.04"))
    assert [found.worst for found in find_breaches(RATE, mixed, DEFAULT_THRESHOLDS[RATE])] == [Decimal("0.04")]
    assert [found.worst for found in find_breaches(L1, mixed, DEFAULT_THRESHOLDS[L1])] == [Decimal("0.01")]


def test_hour_without_a_value_does_not_end_a_breach() -> None:
    first, _, third = hours(("0.09", "0.09"), ("1", "1"), ("0.09", "0.09"))
    (found,) = find_breaches(L1, [first, third], DEFAULT_THRESHOLDS[L1])
    assert (found.start, found.end) == (NOON, NOON + 3 * HOUR)


VALUES: Final = st.integers(0, 20).map(lambda value: Decimal(value) / 100)


@given(st.sampled_from((L1, RATE)), st.lists(VALUES, max_size=30), VALUES, st.integers(1, 5))
def test_every_hour_beyond_the_threshold_is_in_one_breach(
    name: IndicatorName, values: list[Decimal], normal: Decimal, span: int
) -> None:
    bad = DEFINITIONS[name].bad
    critical = normal - Decimal(span) / 100 if name is L1 else normal + Decimal(span) / 100
    threshold = Threshold(normal, critical)
    taken = [IndicatorHour(NOON + place * HOUR, value, value) for place, value in enumerate(values)]
    found = find_breaches(name, taken, threshold)
    for hour in taken:
        inside = [breach for breach in found if breach.start <= hour.hour < breach.end]
        assert len(inside) == (threshold.status(hour.minimum, bad) is not IndicatorStatus.NORMAL)
    assert all(one.end < following.start for one, following in pairwise(found))


def test_policy_is_read_back_from_its_document() -> None:
    policy = RiskPolicy()
    found = RiskPolicy.of_document(policy.document)
    assert found.version == policy.version
    assert (found.thresholds, set(found.conditions)) == (policy.thresholds, set(policy.conditions))
