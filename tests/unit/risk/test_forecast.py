"""The liquidity forecast: total on every history, equal to the ladder without flows, and calibrated on new markets."""

from dataclasses import replace
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.factories.flow_markets import MARKETS, draw_history
from tests.support.factories.risk_states import fund_of, open_request, risk_state, risk_states

from paimon.application.rebalance_engine.forecast_outflows import forecast_shortage, requests_paid
from paimon.domain.kernel.units import WAD
from paimon.domain.risk.flow_model import (
    BLOCK_DAYS_MAX,
    BLOCK_DAYS_MIN,
    Floats,
    FlowHistory,
    fit_tail,
    mean_block_days,
    simulate_flows,
    weekday_factors,
)
from paimon.domain.risk.forecast import calibrate, forecast_interval, forecast_liquidity, interval_of, pinball_loss
from paimon.domain.risk.fund_risk_state import FundRiskState
from paimon.domain.risk.liquidity_forecast import (
    Horizon,
    Levels,
    LiquidityForecast,
    Recommendation,
    recommend,
    shortage_findings,
)
from paimon.domain.risk.promises import liquidity_ladder
from paimon.domain.risk.risk_event import RiskKind, Severity
from paimon.domain.risk.risk_policy import RiskPolicy

pytestmark = pytest.mark.unit

POLICY: Final = RiskPolicy()
AMOUNTS: Final = st.one_of(st.just(0.0), st.floats(0, 1e6), st.floats(1e50, 1e60))


def history_of(requests: Floats, deposits: Floats | None = None, *, net_assets: float = 0.0) -> FlowHistory:
    """Build a history whose days have at most one request each."""
    asked = np.nonzero(requests)[0]
    return FlowHistory(
        deposits=np.zeros(len(requests)) if deposits is None else deposits,
        requests=requests,
        largest=requests,
        amounts=requests[asked],
        amount_days=asked,
        first_weekday=2,
        net_assets=net_assets,
        largest_balance=net_assets,
    )


def forecast(
    state: FundRiskState, history: FlowHistory, horizon: Horizon = Horizon.SEVEN_DAYS, *, seed: int = 1
) -> LiquidityForecast:
    return forecast_liquidity(state, POLICY, history, horizon, seed=seed, paths=200)


@st.composite
def histories(draw: st.DrawFn) -> FlowHistory:
    """Draw the histories that a fund can have: none, some days, or more than the 120 of a calibrated forecast."""
    days = draw(st.sampled_from([0, 1, 2, 6, 13, 60, 61, 75, 119, 120, 130]))
    flows = st.lists(AMOUNTS, min_size=days, max_size=days).map(np.array)
    return history_of(draw(flows).astype(float), draw(flows).astype(float), net_assets=draw(AMOUNTS))


@settings(max_examples=40, deadline=None)
@given(risk_states(), histories(), st.sampled_from(Horizon))
def test_forecast_is_total_and_consistent_on_every_fund_and_history(
    state: FundRiskState, history: FlowHistory, horizon: Horizon
) -> None:
    with np.errstate(all="raise", under="ignore"):
        found = forecast(state, history, horizon)
    chances = [day.shortfall_chance for day in found.fan]
    assert len(found.fan) == horizon.days
    assert chances[0] >= 0
    assert chances == sorted(chances)
    assert chances[-1] == found.shortfall_chance <= 1
    assert all(day.balance_lower <= day.balance_upper for day in found.fan)
    last = found.fan[-1]
    assert (last.balance_lower, last.balance_upper) == (found.balance_lower, found.balance_upper)
    uppers = [day.requests_upper for day in found.fan]
    assert uppers == sorted(uppers), "requests are sums"
    assert found.stressed_outflow >= 0 <= found.shortfall_amount
    assert (found.first_short_day is not None) is bool(shortage_findings(found))
    assert found.is_calibrated is (history.days >= 120)
    assert found == forecast(state, history, horizon)


@pytest.mark.parametrize("horizon", Horizon)
def test_balance_without_simulated_flows_is_that_of_the_ladder(horizon: Horizon) -> None:
    due = [(300, 0.5), (2_000, 6.9), (1_000, None), (5_000, 12.0)]
    requests = tuple(open_request(amount, due_days=days, request_id=place) for place, (amount, days) in enumerate(due))
    state = risk_state(fund_of(1_000, 3_000, 6_000, asset_decimals=0), open_requests=requests)
    found = forecast(state, history_of(np.zeros(200)), horizon)
    ladder = liquidity_ladder(state, POLICY, days=horizon.days)
    assert [day.balance_mean for day in found.fan] == [row.closing_if_approved for row in ladder]
    assert found.projected_balance == found.balance_lower == found.balance_upper == ladder[-1].closing_if_approved
    assert found.due_outflow == sum(row.due + row.due_if_approved for row in ladder)
    assert found.available == ladder[-1].realisable


def test_shortage_of_open_requests_alone_is_certain_from_its_day_on() -> None:
    short = risk_state(fund_of(100, 0, 0, asset_decimals=0), open_requests=(open_request(101, due_days=3.5),))
    found = forecast(short, history_of(np.zeros(200)))
    assert [day.shortfall_chance for day in found.fan] == [0, 0, 0, 1, 1, 1, 1]
    assert (found.first_short_day, found.shortfall_amount, found.suggested_amount) == (3, 1, 1)
    assert found.recommendation is Recommendation.EMERGENCY


def test_no_more_is_requested_than_the_fund_has() -> None:
    run = history_of(np.full(200, 900.0), net_assets=1_000.0)
    assert forecast(risk_state(fund_of(1_000, 0, 0, asset_decimals=0)), run).probable_outflow == 1_000


def test_each_day_of_the_fan_has_the_ends_that_past_forecasts_corrected() -> None:
    """Each week asks for twice as much as the one before, so every forecast of the past was too low."""
    growing = history_of(np.repeat(2.0 ** np.arange(30), 7), net_assets=1e12)
    state = risk_state(fund_of(10**12, 0, 0, asset_decimals=0))
    found = forecast(state, growing)
    assert found.calibration.levels.upper == 0
    largest = simulate_flows(growing, days=7, paths=200, seed=1).requests.cumsum(axis=1).max(axis=0)
    assert [day.requests_upper for day in found.fan] == [round(1.5 * amount) for amount in largest]
    assert [day.balance_lower for day in found.fan] == near([10**12 - day.requests_upper for day in found.fan])
    assert [day.balance_upper for day in found.fan] == near(10**12 - lower_of(growing, found))
    assert requests_paid(found)[-1].stressed == found.fan[-1].requests_upper - found.fan[-2].requests_upper
    short = forecast(risk_state(fund_of(int(largest[-1]), 0, 0, asset_decimals=0)), growing)
    assert forecast_shortage(short, days=7) == near(0.5 * largest[-1])
    poor = forecast(state, replace(growing, net_assets=1_000.0))
    assert {day.requests_upper for day in poor.fan} == {1_000}, "no more than the fund has"


def near(amounts: Any) -> Any:
    return pytest.approx(amounts, abs=1)


def lower_of(history: FlowHistory, found: LiquidityForecast) -> Floats:
    """Return the lower end of the requests so far, by day, at the levels of the forecast."""
    requests = simulate_flows(history, days=len(found.fan), paths=200, seed=1).requests.cumsum(axis=1)
    lower: Floats = np.quantile(requests, found.calibration.levels.lower, axis=0)
    return lower


def test_deposits_count_at_half_and_requests_whole() -> None:
    steady = history_of(np.full(400, 10.0), np.full(400, 10.0), net_assets=10_000.0)
    found = forecast(risk_state(fund_of(10_000, 0, 0, asset_decimals=0)), steady)
    assert (found.expected_inflow, found.expected_outflow, found.net_flow) == (35, 70, -35)
    assert found.projected_balance == 10_000 - 35


@pytest.mark.parametrize(
    ("chance", "advice"), [(0, "NONE"), (0.0499, "NONE"), (0.05, "MONITOR"), (0.1999, "MONITOR"), (0.2, "PREPARE_LIQUIDITY")]
)
def test_recommendation_below_a_half(chance: float, advice: str) -> None:
    assert recommend(chance) == advice


@pytest.mark.parametrize(("chance", "advice"), [(0.4999, "PREPARE_LIQUIDITY"), (0.5, "EMERGENCY"), (1, "EMERGENCY")])
def test_recommendation_from_a_half_on(chance: float, advice: str) -> None:
    assert recommend(chance) == advice


@pytest.mark.parametrize(
    ("days", "severity"), [(200, Severity.CRITICAL), (120, Severity.CRITICAL), (119, Severity.WARNING), (0, Severity.WARNING)]
)
def test_shortage_is_critical_only_where_the_forecast_is_calibrated(days: int, severity: Severity) -> None:
    short = risk_state(fund_of(100, 0, 0, asset_decimals=0), open_requests=(open_request(101, due_days=3),))
    (finding,) = shortage_findings(forecast(short, history_of(np.zeros(days)), Horizon.THIRTY_DAYS))
    assert (finding.kind, finding.subject) == (RiskKind.LIQUIDITY_SHORTAGE, "liquidity of the coming 30 days")
    assert (finding.observed, finding.expected) == ("a chance of 100% to be short by day 4, of 100% by day 30", "below 20%")
    assert finding.severity is severity


@pytest.mark.parametrize(
    ("chance", "raised", "expected"),
    [
        (0.19, None, None), (0.20, None, "WARNING"), (0.49, None, "WARNING"), (0.50, None, "CRITICAL"),
        (0.15, "WARNING", "WARNING"), (0.149, "WARNING", None), (0.49, "WARNING", "WARNING"), (0.50, "WARNING", "CRITICAL"),
        (0.45, "CRITICAL", "CRITICAL"), (0.449, "CRITICAL", "WARNING"), (0.16, "CRITICAL", "WARNING"), (0.14, "CRITICAL", None),
    ],
)  # fmt: skip
def test_open_shortage_is_lowered_only_well_below_the_chance_that_raised_it(
    chance: float, raised: str | None, expected: str | None
) -> None:
    short = forecast(risk_state(fund_of(100, 0, 0, asset_decimals=0)), history_of(np.zeros(200)), Horizon.THIRTY_DAYS)
    found = shortage_findings(
        replace(short, shortfall_chance=chance, first_short_day=None), None if raised is None else Severity(raised)
    )
    assert [finding.severity.value for finding in found] == ([] if expected is None else [expected])


def test_prior_of_a_young_fund_is_the_same_for_every_seed() -> None:
    fund, young = risk_state(fund_of(10**6 * WAD, 0, 0)), history_of(np.zeros(0), net_assets=10.0**6)
    chances = [forecast_liquidity(fund, POLICY, young, Horizon.THIRTY_DAYS, seed=seed).probable_outflow for seed in range(8)]
    assert max(chances) - min(chances) < max(chances) * 0.01


def test_young_fund_is_forecast_by_its_prior() -> None:
    fund = risk_state(fund_of(10**6 * WAD, 0, 0))
    found = forecast(fund, history_of(np.zeros(0), net_assets=10.0**6))
    assert not found.is_calibrated
    assert 0.5 < found.probable_outflow / (7 * 2_000 * WAD) < 2
    assert found.probable_outflow < found.stressed_outflow < 10**5 * WAD


def test_weekdays_are_found_where_they_differ_and_not_in_noise() -> None:
    seasonal = weekday_factors(draw_history("seasonal", 364, seed=3).requests, 0)
    assert seasonal[0] > 1.3 > 0.8 > seasonal[5]
    noise = weekday_factors(draw_history("calm", 364, seed=3).requests, 0)
    assert np.abs(noise - 1).max() < 0.15
    assert weekday_factors(np.zeros(10), 0).tolist() == [1.0] * 7


def test_runs_of_days_are_drawn_in_longer_blocks() -> None:
    noise = np.random.default_rng(5).exponential(1, 365)
    runs = np.repeat(np.random.default_rng(5).exponential(1, 73), 5)
    assert BLOCK_DAYS_MIN <= mean_block_days(noise) < mean_block_days(runs) <= BLOCK_DAYS_MAX
    assert mean_block_days(np.ones(100)) == BLOCK_DAYS_MIN


def test_tail_is_fitted_to_enough_amounts_and_cut_at_the_largest_holder() -> None:
    amounts = np.random.default_rng(7).pareto(2.0, 20_000)
    tail = fit_tail(amounts)
    assert tail is not None
    assert abs(tail.shape - 0.5) < 0.1
    assert fit_tail(amounts[:299]) is None
    assert fit_tail(np.zeros(500)) is None
    history = draw_history("heavy-tailed", 400, seed=9)
    capped = replace(history, largest_balance=1.0, requests=history.largest)
    drawn = simulate_flows(capped, days=30, paths=500, seed=1).requests
    threshold = fit_tail(history.amounts)
    assert threshold is not None
    assert drawn.max() < 2 * threshold.threshold  # the weekdays' factors are near one
    assert simulate_flows(replace(capped, largest_balance=1e9), days=30, paths=500, seed=1).requests.max() > drawn.max()


def test_ends_move_out_after_a_miss_and_in_after_hits() -> None:
    levels = Levels().after(below=False, above=True, step=0.02)
    assert levels.lower == pytest.approx(0.051)
    assert levels.upper == pytest.approx(0.031)
    sample = np.arange(1.0, 1_001.0)
    wide, narrow = interval_of(sample, Levels(0.01, 0.01)), interval_of(sample, Levels(0.2, 0.2))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    for _ in range(9):
        levels = levels.after(below=True, above=True, step=0.02)
    assert levels == Levels(0.0, 0.0)
    assert interval_of(sample, levels) == (0.0, 1_500.0)
    for _ in range(1_000):
        levels = levels.after(below=False, above=False, step=0.02)
    assert levels == Levels(0.5, 0.5)


def test_calibration_looks_at_no_later_day() -> None:
    history = draw_history("bursty", 200, seed=11)
    changed = replace(
        history, requests=history.requests.copy(), amounts=np.where(history.amount_days >= 150, 1e9, history.amounts)
    )
    changed.requests[150:] = 1e9
    for today in (1, 60, 150):
        known, other = (one.before(today, days_max=100) for one in (history, changed))
        assert forecast_interval(known, Levels(), days=7, seed=1) == forecast_interval(other, Levels(), days=7, seed=1)
        assert known.days == min(today, 100)
    assert history.before(150, days_max=100).first_weekday == 50 % 7


@pytest.mark.parametrize(("days", "count"), [(59, 0), (66, 0), (67, 1), (73, 1), (74, 2), (365, 43)])
def test_calibration_has_a_window_for_each_week_after_sixty_days(days: int, count: int) -> None:
    assert calibrate(draw_history("calm", days, seed=1), days=7).forecasts == count


def test_calibration_of_a_steady_flow_misses_nothing() -> None:
    found = calibrate(history_of(np.full(200, 5.0)), days=7)
    assert found.within == 1.0
    assert found.levels.lower == found.levels.upper == pytest.approx(0.07)


def test_pinball_loss_counts_each_side_by_the_level() -> None:
    assert pinball_loss(10, 4, level=0.95) == pytest.approx(5.7)
    assert pinball_loss(4, 10, level=0.95) == pytest.approx(0.3)


def test_interval_of_new_markets_holds_most_outcomes() -> None:
    """A wide bound on few windows, with fixed seeds; `bench/forecast_calibration.py` measures it exactly."""
    windows = [(market, 365 + 7 * week) for market in MARKETS for week in range(10)]
    days = {market: draw_history(market, 365 + 7 * 10, seed=2_026) for market in MARKETS}
    held = 0
    for market, today in windows:
        past = days[market].before(today, days_max=365)
        lower, upper = forecast_interval(past, calibrate(past, days=7).levels, days=7, seed=today)
        held += lower <= days[market].requests[today : today + 7].sum() <= upper
    assert 0.8 <= held / len(windows) <= 0.98


def test_more_requests_in_the_past_make_a_larger_outflow() -> None:
    calm = replace(draw_history("calm", 365, seed=4), amounts=np.zeros(0), amount_days=np.zeros(0, dtype=np.int64))
    state = risk_state()
    outflows = [forecast(state, replace(calm, requests=calm.requests * factor)) for factor in (1, 2, 4)]
    assert outflows[0].probable_outflow < outflows[1].probable_outflow < outflows[2].probable_outflow
    assert outflows[0].balance_lower > outflows[1].balance_lower > outflows[2].balance_lower
    assert outflows[0].available == outflows[1].available
