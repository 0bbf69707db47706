"""Stress tests: what each part of a scenario does, and that the smallest run is the smallest."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.factories.risk_states import fund_of, open_request, risk_state, risk_states
from tests.support.factories.snapshots import position, snapshot, token

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import WAD, Bps, RawAmount
from paimon.domain.risk.fund_risk_state import FundRiskState
from paimon.domain.risk.investors import investor_concentration
from paimon.domain.risk.risk_policy import RiskPolicy
from paimon.domain.risk.stress import RUN_DAYS_MAX, STANDARD_SCENARIOS, Scenario, run_stress, smallest_breaking_run
from paimon.domain.vault.fund_snapshot import AssetPosition

pytestmark = pytest.mark.unit

POLICY: Final = RiskPolicy()


def asset(number: int, tier: Tier, value: int) -> AssetPosition:
    return position(number, tier=tier, decimals=18, balance=RawAmount(value), price=RawAmount(WAD))


FUND: Final = risk_state(snapshot(cash=RawAmount(1_000), assets=(asset(2, Tier.L2, 3_000), asset(3, Tier.L3, 6_000))))
"""L1 is cash now, L2 in 5 days at 0.1 %, L3 in 60 days at 2 %."""

SCENARIOS: Final = st.builds(
    Scenario,
    st.just("any"),
    st.integers(0, 10_000).map(Bps),
    st.integers(1, RUN_DAYS_MAX),
    st.dictionaries(st.sampled_from(Tier), st.integers(0, 10_000).map(Bps)),
    st.frozensets(st.integers(1, 4).map(token)),
    st.booleans(),
    st.integers(0, 5),
)


def test_run_is_due_as_standard_requests_evenly_by_day() -> None:
    result = run_stress(FUND, POLICY, Scenario("run", Bps(2_000), 3))
    assert (result.outflow, result.net_assets) == (2_000, 10_000)
    assert [(row.day, row.due) for row in result.ladder if row.due] == [(7, 667), (8, 667), (9, 666)]
    assert (result.keeps_every_promise, result.shortfall) == (True, 0)


def test_run_beyond_what_is_cash_in_time_is_short_on_its_day() -> None:
    result = run_stress(FUND, POLICY, Scenario("run", Bps(4_000), 1))
    assert result.shortage is not None
    assert (result.shortage.day, result.shortfall) == (7, 3)  # 4000 against 1000 and 2997
    assert run_stress(FUND, POLICY, Scenario("run", Bps(3_990), 1)).shortage is None
    assert result.left == {Tier.L1: 0, Tier.L2: 0, Tier.L3: 5_880}


def test_fall_of_prices_lowers_what_can_be_cash_and_the_run_too() -> None:
    result = run_stress(FUND, POLICY, Scenario("fall", Bps(1_000), 1, {Tier.L2: Bps(5_000)}))
    assert (result.net_assets, result.outflow) == (8_500, 850)
    assert result.ladder[7].realisable == 1_000 + 1_498
    assert run_stress(FUND, POLICY, Scenario("all", falls=dict.fromkeys(Tier, Bps(10_000)))).net_assets == 1_000


def test_frozen_asset_is_never_cash_and_stays_in_its_tier() -> None:
    run = Scenario("run", Bps(2_000), 1)
    assert run_stress(FUND, POLICY, run).keeps_every_promise
    frozen = run_stress(FUND, POLICY, replace(run, frozen=frozenset({token(2)})))
    assert (frozen.shortfall, frozen.ladder[-1].realisable) == (1_000, 1_000 + 5_880)
    assert frozen.left[Tier.L2] == 3_000
    largest = run_stress(FUND, POLICY, replace(run, freezes_largest=True))
    assert (largest.keeps_every_promise, largest.ladder[-1].realisable) == (True, 1_000 + 2_997)


def test_largest_holders_leave_with_all_they_have() -> None:
    holdings = [RawAmount(amount) for amount in (3_000, 1_500, 10)]
    leave = Scenario("leave", leaving_holders=2)
    result = run_stress(FUND, POLICY, leave, holdings)
    assert (result.outflow, result.shortfall) == (4_500, 4_500 - 3_997)
    assert run_stress(FUND, POLICY, replace(leave, leaving_holders=9), holdings).outflow == 4_510
    assert run_stress(FUND, POLICY, leave).outflow == 0


def test_request_that_is_due_after_the_run_is_broken_by_it() -> None:
    open_already = risk_state(
        FUND.fund, open_requests=(open_request(2_000, due_days=20), open_request(1, due_days=1, request_id=2))
    )
    assert run_stress(open_already, POLICY, Scenario("none")).keeps_every_promise
    result = run_stress(open_already, POLICY, Scenario("run", Bps(3_000), 1))
    assert [promise.request.request_id for promise in result.broken] == [1]
    assert result.broken[0].shortfall == 2_000 + 3_000 + 1 - 3_997


def test_smallest_run_is_named_also_where_none_or_any_breaks_a_promise() -> None:
    assert smallest_breaking_run(FUND, POLICY, Scenario("run")) == 3_998
    short = risk_state(FUND.fund, open_requests=(open_request(9_000, due_days=3),))
    assert smallest_breaking_run(short, POLICY, Scenario("run")) == 0
    all_cash = risk_state(fund_of(10_000, 0, 0))
    assert smallest_breaking_run(all_cash, POLICY, Scenario("run")) is None
    slow = Scenario("slow", run_days=RUN_DAYS_MAX)
    assert (smallest_breaking_run(FUND, POLICY, slow) or 0) > 3_998, "time to sell helps"


@settings(max_examples=25, deadline=None)
@given(risk_states(), SCENARIOS, st.lists(st.integers(0, 10**27).map(RawAmount), max_size=4))
def test_any_scenario_has_a_result_and_its_smallest_run_is_minimal(
    state: FundRiskState, scenario: Scenario, holdings: list[RawAmount]
) -> None:
    result = run_stress(state, POLICY, scenario, holdings)
    assert result.shortfall >= 0
    assert all(left >= 0 for left in result.left.values())
    smallest = smallest_breaking_run(state, POLICY, scenario, holdings)

    def keeps(run: int) -> bool:
        return run_stress(state, POLICY, replace(scenario, run=Bps(run)), holdings).keeps_every_promise

    assert keeps(10_000 if smallest is None else smallest) is (smallest is None)
    if smallest:
        assert keeps(smallest - 1)


@pytest.mark.parametrize("scenario", STANDARD_SCENARIOS, ids=lambda scenario: scenario.name)
def test_standard_scenarios_run_on_an_empty_fund(scenario: Scenario) -> None:
    empty = risk_state(snapshot(cash=RawAmount(0), total_supply=RawAmount(0)))
    assert run_stress(empty, POLICY, scenario).keeps_every_promise
    assert scenario.run_days <= RUN_DAYS_MAX


# Investors


def test_concentration_of_equal_and_of_single_holders() -> None:
    equal = investor_concentration(FUND, POLICY, [RawAmount(5)] * 10)
    assert equal is not None
    assert (str(equal.hhi.normalize()), str(equal.top[1].normalize()), str(equal.top[5].normalize())) == ("0.1", "0.1", "0.5")
    single = investor_concentration(FUND, POLICY, [RawAmount(7)])
    assert single is not None
    assert single.hhi == single.top[10] == 1
    assert investor_concentration(FUND, POLICY, []) is None


def test_fewest_holders_who_empty_the_liquidity_of_a_week_by_leaving() -> None:
    holdings = [RawAmount(amount) for amount in (2_000, 1_997, 1, 1)]
    found = investor_concentration(FUND, POLICY, holdings)
    assert found is not None
    assert found.leavers == 3  # 1000 and 2997 are cash within 7 days
    due = open_request(2, due_days=6.5)
    later = replace(due, due_at=FUND.fund.at.timestamp + timedelta(days=30))
    for request, leavers in ((due, 2), (later, 3)):
        owing = investor_concentration(replace(FUND, open_requests=(request,)), POLICY, holdings)
        assert owing is not None
        assert owing.leavers == leavers
    few = investor_concentration(FUND, POLICY, holdings[:1])
    assert few is not None
    assert few.leavers is None
