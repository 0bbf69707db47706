"""How a running house is judged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.operations.health import ComponentHealth, HealthStatus, overall_status, status_by_limits, worst_status

pytestmark = pytest.mark.unit

conditions = st.lists(st.sampled_from(HealthStatus))


@given(conditions)
def test_worst_status_is_the_worst_given_one(given_conditions: list[HealthStatus]) -> None:
    ranks = list(HealthStatus)
    found = worst_status(*given_conditions)
    assert found is HealthStatus.OK or found in given_conditions
    assert all(ranks.index(each) <= ranks.index(found) for each in given_conditions)


@pytest.mark.parametrize(("value", "expected"), [(0, "ok"), (60, "ok"), (60.5, "degraded"), (300, "degraded"), (301, "down")])
def test_value_at_a_limit_is_within_it(value: float, expected: str) -> None:
    assert status_by_limits(value, warning=60, critical=300) == expected


def test_system_is_down_only_when_a_required_component_is() -> None:
    def components(**named: HealthStatus) -> list[ComponentHealth]:
        return [ComponentHealth(name, status, "") for name, status in named.items()]

    assert overall_status(components(database=HealthStatus.OK, signer=HealthStatus.OK)) is HealthStatus.OK
    assert overall_status(components(database=HealthStatus.OK, signer=HealthStatus.DOWN)) is HealthStatus.DEGRADED
    assert overall_status(components(database=HealthStatus.DOWN, signer=HealthStatus.OK)) is HealthStatus.DOWN
