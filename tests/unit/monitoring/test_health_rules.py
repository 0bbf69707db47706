"""How a running house is judged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paimon.domain.operations.health import Condition, Part, by_limits, overall, worst

pytestmark = pytest.mark.unit

conditions = st.lists(st.sampled_from(Condition))


@given(conditions)
def test_the_worst_is_one_of_them_and_none_is_worse(given_conditions: list[Condition]) -> None:
    ranks = list(Condition)
    found = worst(*given_conditions)
    assert found is Condition.OK or found in given_conditions
    assert all(ranks.index(each) <= ranks.index(found) for each in given_conditions)


@pytest.mark.parametrize(("value", "expected"), [(0, "ok"), (60, "ok"), (60.5, "degraded"), (300, "degraded"), (301, "down")])
def test_a_limit_is_still_within(value: float, expected: str) -> None:
    assert by_limits(value, warning=60, critical=300) == expected


def test_the_house_is_down_only_when_nothing_can_be_served() -> None:
    def parts(**named: Condition) -> list[Part]:
        return [Part(name, condition, "") for name, condition in named.items()]

    assert overall(parts(database=Condition.OK, signer=Condition.OK)) is Condition.OK
    assert overall(parts(database=Condition.OK, signer=Condition.DOWN)) is Condition.DEGRADED
    assert overall(parts(database=Condition.DOWN, signer=Condition.OK)) is Condition.DOWN
