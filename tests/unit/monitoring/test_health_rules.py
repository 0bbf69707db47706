"""Rules of health: the worst status, limits, and the status of the whole system."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.operations.health import ComponentHealth, HealthStatus, overall_status, status_by_limits, worst_status

pytestmark = pytest.mark.unit

STATUSES = st.lists(st.sampled_from(HealthStatus))


@given(STATUSES)
def test_worst_status_is_the_worst_given_one(statuses: list[HealthStatus]) -> None:
    ranks = list(HealthStatus)
    found = worst_status(*statuses)
    assert found is HealthStatus.OK or found in statuses
    assert all(ranks.index(status) <= ranks.index(found) for status in statuses)


@pytest.mark.parametrize(("value", "expected"), [(0, "OK"), (60, "OK"), (60.5, "DEGRADED"), (300, "DEGRADED"), (301, "DOWN")])
def test_value_at_a_limit_is_within_it(value: float, expected: str) -> None:
    assert status_by_limits(value, warning=60, critical=300) == expected


def test_system_is_down_only_when_a_required_component_is() -> None:
    def components(**named: HealthStatus) -> list[ComponentHealth]:
        return [ComponentHealth(name, status, "") for name, status in named.items()]

    assert overall_status(components(database=HealthStatus.OK, signer=HealthStatus.OK)) is HealthStatus.OK
    assert overall_status(components(database=HealthStatus.OK, signer=HealthStatus.DOWN)) is HealthStatus.DEGRADED
    assert overall_status(components(database=HealthStatus.DOWN, signer=HealthStatus.OK)) is HealthStatus.DOWN
