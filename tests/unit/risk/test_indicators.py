"""Tests of the risk indicators: at, just above and just below each threshold, on every fund, and in the obvious direction."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.factories.risk_states import NO_FLOWS, fund_of, holding, open_request, risk_state, risk_states
from tests.support.factories.snapshots import MONEY, NOON, snapshot, token

from paimon.domain.asset.profile import AssetProfile, Liquidity
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import UINT256_MAX, Bps, NavPerShare, RawAmount
from paimon.domain.risk.fund_risk_state import FundRiskState, OutflowEstimate, PriceState, SendingRecord, WindowFlows
from paimon.domain.risk.indicators import INFINITE, Measurement, measure, ratio
from paimon.domain.risk.liquidity import realisable
from paimon.domain.risk.risk_policy import (
    DEFAULT_THRESHOLDS,
    DEFINITIONS,
    Bad,
    IndicatorName,
    IndicatorStatus,
    RiskPolicy,
)

pytestmark = pytest.mark.unit

POLICY: Final = RiskPolicy()
ONE: Final = 10**12  # the figures of these tests are exact to the last place that a ratio keeps
NORMAL, WARNING, CRITICAL = IndicatorStatus.NORMAL, IndicatorStatus.WARNING, IndicatorStatus.CRITICAL


def reading(state: FundRiskState, name: IndicatorName, policy: RiskPolicy = POLICY) -> Measurement:
    return next(measured for measured in measure(state, policy) if measured.name is name)


def flows(requested: int, opening: int = ONE) -> WindowFlows:
    return WindowFlows(RawAmount(requested), RawAmount(0), RawAmount(opening))


def requested_in_a_day(amount: int) -> FundRiskState:
    return risk_state(last_24_hours=flows(amount))


def liability(amount: int) -> FundRiskState:
    return risk_state(fund_of(ONE // 2, ONE // 2, 0, redemption_liability=RawAmount(amount)))


def coverage(value: int) -> FundRiskState:
    """A fund of L1 and L2 that is `value` parts in 10¹² of a liability."""
    return risk_state(fund_of(value, 0, ONE, redemption_liability=RawAmount(ONE)))


def due_within(days: float) -> Callable[[int], FundRiskState]:
    def state(value: int) -> FundRiskState:
        return risk_state(fund_of(value, 0, 10 * ONE), open_requests=(open_request(ONE, due_days=days),))

    return state


def largest_assets(count: int) -> Callable[[int], FundRiskState]:
    def state(value: int) -> FundRiskState:
        parts = [value // count + (place < value % count) for place in range(count)]
        assets = tuple(holding(place, Tier.L2, part) for place, part in enumerate(parts, start=1))
        return risk_state(snapshot(cash=RawAmount(ONE - value), assets=assets))

    return state


def one_counterparty(value: int) -> FundRiskState:
    profile = AssetProfile("a bank", Liquidity(0, Bps(0)))
    assets = (holding(1, Tier.L2, value - 1), holding(2, Tier.L3, 1))
    fund = snapshot(cash=RawAmount(ONE - value), assets=assets)
    return risk_state(fund, profiles={token(1): profile, token(2): profile})


def nav_range(value: int) -> FundRiskState:
    """Two points whose difference is `value` parts in 10¹² of their mean."""
    return risk_state(hourly_nav=(NavPerShare(2 * ONE + value), NavPerShare(2 * ONE - value)))


def velocity(value: int) -> FundRiskState:
    return risk_state(requested_7_days=RawAmount(value), requested_7_days_before=RawAmount(ONE))


def awaiting_approval(value: int) -> FundRiskState:
    return risk_state(fund_of(ONE // 2, ONE // 2, ONE), open_requests=(open_request(value, due_days=None),))


def priced(missed: int = 0, deviation: Decimal | None = None) -> FundRiskState:
    """Two held assets, of which the second has this price; one that is not held is far worse."""
    assets = (holding(1, Tier.L2, ONE), holding(2, Tier.L3, ONE), holding(3, Tier.L3, 0))
    prices = {token(1): PriceState(0, None), token(2): PriceState(missed, deviation), token(3): PriceState(99, Decimal(99))}
    return risk_state(snapshot(assets=assets), prices=prices)


def outflow(expected: int, stressed: int = 0, *, age: timedelta = timedelta(0), is_calibrated: bool = True) -> OutflowEstimate:
    return OutflowEstimate(risk_state().fund.at.timestamp - age, RawAmount(expected), RawAmount(stressed), is_calibrated)


STATE_OF: Final[dict[IndicatorName, Callable[[int], FundRiskState]]] = {
    IndicatorName.L1_RATIO: lambda value: risk_state(fund_of(value, 0, ONE - value)),
    IndicatorName.L1_L2_RATIO: lambda value: risk_state(fund_of(value // 3, value - value // 3, ONE - value)),
    IndicatorName.REDEMPTION_COVERAGE: coverage,
    IndicatorName.RCR_1D: due_within(1),
    IndicatorName.RCR_7D: due_within(7),
    IndicatorName.LIQUIDITY_GAP_7D: lambda value: risk_state(fund_of(0, 0, ONE), outflow=outflow(value)),
    IndicatorName.NAV_VOLATILITY_24H: nav_range,
    IndicatorName.ASSET_PRICE_DEVIATION: lambda value: priced(deviation=Decimal(value) / ONE),
    IndicatorName.SINGLE_ASSET_CONCENTRATION: largest_assets(1),
    IndicatorName.TOP3_CONCENTRATION: largest_assets(3),
    IndicatorName.COUNTERPARTY_CONCENTRATION: one_counterparty,
    IndicatorName.DAILY_REDEMPTION_RATE: requested_in_a_day,
    IndicatorName.PENDING_APPROVAL_RATIO: awaiting_approval,
    IndicatorName.REDEMPTION_VELOCITY: velocity,
}
"""A state in which the indicator is this many parts in 10¹²."""


def test_thresholds_are_those_of_the_design() -> None:
    table = {
        IndicatorName.L1_RATIO: ("0.1", "0.08"),
        IndicatorName.L1_L2_RATIO: ("0.4", "0.35"),
        IndicatorName.REDEMPTION_COVERAGE: ("1.5", "1"),
        IndicatorName.RCR_1D: ("1.2", "1"),
        IndicatorName.RCR_7D: ("1.2", "1"),
        IndicatorName.LIQUIDITY_GAP_7D: ("0.000001", "0.1"),
        IndicatorName.NAV_VOLATILITY_24H: ("0.03", "0.05"),
        IndicatorName.ASSET_PRICE_DEVIATION: ("0.02", "0.03"),
        IndicatorName.ORACLE_STALENESS: ("1", "1.5"),
        IndicatorName.SINGLE_ASSET_CONCENTRATION: ("0.2", "0.25"),
        IndicatorName.TOP3_CONCENTRATION: ("0.5", "0.6"),
        IndicatorName.COUNTERPARTY_CONCENTRATION: ("0.3", "0.4"),
        IndicatorName.DAILY_REDEMPTION_RATE: ("0.03", "0.05"),
        IndicatorName.PENDING_APPROVAL_RATIO: ("0.2", "0.3"),
        IndicatorName.REDEMPTION_VELOCITY: ("1.5", "2"),
        IndicatorName.FAILED_IN_A_ROW: ("2", "2.5"),
    }
    assert {name: (edge.normal, edge.critical) for name, edge in DEFAULT_THRESHOLDS.items()} == {
        name: (Decimal(normal), Decimal(critical)) for name, (normal, critical) in table.items()
    }
    assert all(edge.fits(DEFINITIONS[name].bad) for name, edge in DEFAULT_THRESHOLDS.items())
    assert STATE_OF.keys() == DEFAULT_THRESHOLDS.keys() - {IndicatorName.FAILED_IN_A_ROW, IndicatorName.ORACLE_STALENESS}


@pytest.mark.parametrize("name", STATE_OF)
def test_status_at_just_above_and_just_below_each_threshold(name: IndicatorName) -> None:
    threshold = DEFAULT_THRESHOLDS[name]
    is_low_bad = DEFINITIONS[name].bad is Bad.LOW
    step = 2 if name is IndicatorName.NAV_VOLATILITY_24H else 1

    def statuses(edge: Decimal) -> list[IndicatorStatus]:
        parts = int(edge * ONE)
        measured = [reading(STATE_OF[name](parts + offset), name) for offset in (-step, 0, step)]
        assert [found.value for found in measured] == [Decimal(parts + offset) / ONE for offset in (-step, 0, step)]
        return [found.status for found in measured]

    assert statuses(threshold.normal) == ([WARNING, NORMAL, NORMAL] if is_low_bad else [NORMAL, WARNING, WARNING])
    assert statuses(threshold.critical) == ([CRITICAL, WARNING, WARNING] if is_low_bad else [WARNING, WARNING, CRITICAL])


def test_stressed_coverage_counts_what_is_due_and_the_outflow_of_one_case_in_a_hundred() -> None:
    due = (open_request(ONE, due_days=7), open_request(5 * ONE, due_days=8, request_id=2))
    state = risk_state(fund_of(3 * ONE, 0, 10 * ONE), open_requests=due, outflow=outflow(ONE, stressed=2 * ONE))
    assert reading(state, IndicatorName.RCR_7D_STRESSED).value == 1
    assert reading(state, IndicatorName.LIQUIDITY_GAP_7D).value == 0
    assert reading(state, IndicatorName.RCR_7D).value == 3


@pytest.mark.parametrize("name", [IndicatorName.RCR_7D_STRESSED, IndicatorName.LIQUIDITY_GAP_7D])
def test_old_forecast_measures_nothing_and_an_uncalibrated_one_says_so(name: IndicatorName) -> None:
    missing = reading(risk_state(), name)
    assert (missing.status, missing.note) == (IndicatorStatus.NOT_MEASURED, "no forecast was made in the last 6 hours")
    for age, is_measured in ((timedelta(hours=6), True), (timedelta(hours=6, seconds=1), False)):
        assert (reading(risk_state(outflow=outflow(1, 1, age=age)), name).value is not None) is is_measured
    young = reading(risk_state(outflow=outflow(1, 1, is_calibrated=False)), name)
    assert str(young.note).startswith("the forecast rests on a prior: less than 120 days are recorded; 2 of 2 assets")


@pytest.mark.parametrize(("failed", "status"), [(0, NORMAL), (1, NORMAL), (2, WARNING), (3, CRITICAL), (4, CRITICAL)])
def test_three_failed_transactions_in_a_row_are_critical(failed: int, status: IndicatorStatus) -> None:
    state = risk_state(sending=SendingRecord(10, failed, failed))
    assert reading(state, IndicatorName.FAILED_IN_A_ROW).status is status
    assert reading(state, IndicatorName.TX_FAILURE_RATE).value == Decimal(failed) / 10


@pytest.mark.parametrize(("missed", "status"), [(0, NORMAL), (1, WARNING), (2, CRITICAL), (1_000, CRITICAL)])
def test_one_missed_publication_warns_and_two_are_critical(missed: int, status: IndicatorStatus) -> None:
    assert reading(priced(missed), IndicatorName.ORACLE_STALENESS).status is status


def test_prices_that_were_not_judged_are_not_measured() -> None:
    state = risk_state(snapshot(assets=(holding(1, Tier.L2, ONE),)))
    for name in (IndicatorName.ORACLE_STALENESS, IndicatorName.ASSET_PRICE_DEVIATION):
        assert reading(state, name).status is IndicatorStatus.NOT_MEASURED
    assert reading(priced(), IndicatorName.ASSET_PRICE_DEVIATION).status is IndicatorStatus.NOT_MEASURED


@settings(max_examples=40)
@given(risk_states())
def test_every_indicator_is_measured_or_says_why_not(state: FundRiskState) -> None:
    measured = measure(state, POLICY)
    assert tuple(found.name for found in measured) == tuple(IndicatorName)
    for found in measured:
        assert (found.value is None) == (found.status is IndicatorStatus.NOT_MEASURED)
        assert found.note if found.value is None else found.value >= 0


def test_empty_fund_is_critical_in_nothing() -> None:
    empty = risk_state(
        snapshot(cash=RawAmount(0), total_supply=RawAmount(0)),
        utc_day=flows(0, 0),
        last_24_hours=flows(0, 0),
        hourly_nav=(),
    )
    assert {found.status for found in measure(empty, POLICY)} == {NORMAL, IndicatorStatus.NOT_MEASURED}


def test_fund_that_owes_and_holds_nothing_is_critical() -> None:
    owing = risk_state(
        snapshot(cash=RawAmount(0), redemption_liability=RawAmount(1)), open_requests=(open_request(1, due_days=0),)
    )
    for name in (IndicatorName.REDEMPTION_COVERAGE, IndicatorName.RCR_1D, IndicatorName.RCR_7D):
        assert (reading(owing, name).value, reading(owing, name).status) == (Decimal(0), CRITICAL)


def test_extreme_amounts_keep_their_digits() -> None:
    assert ratio(UINT256_MAX - 1, UINT256_MAX, Bad.LOW) == Decimal("0.999999999999")
    assert ratio(UINT256_MAX - 1, UINT256_MAX, Bad.HIGH) == 1
    assert ratio(UINT256_MAX, 1, Bad.HIGH) == UINT256_MAX
    assert ratio(1, 0, Bad.HIGH) == INFINITE


def test_nothing_owed_is_covered_without_limit() -> None:
    for name in (IndicatorName.REDEMPTION_COVERAGE, IndicatorName.RCR_7D):
        assert (reading(risk_state(), name).value, reading(risk_state(), name).status) == (INFINITE, NORMAL)


def assert_not_worse(found: Measurement, other: Measurement) -> None:
    """Check two measurements of one indicator where both have a value."""
    if found.value is not None and other.value is not None:
        is_low_bad = DEFINITIONS[found.name].bad is Bad.LOW
        assert found.value >= other.value if is_low_bad else found.value <= other.value, found.name


@settings(max_examples=40)
@given(risk_states(), MONEY)
def test_more_cash_is_never_worse(state: FundRiskState, more: int) -> None:
    richer = replace(state, fund=replace(state.fund, cash=RawAmount(state.fund.cash + more)))
    for before, after in zip(measure(state, POLICY), measure(richer, POLICY), strict=True):
        assert_not_worse(after, before)


@settings(max_examples=40)
@given(risk_states(), MONEY.filter(bool), st.none() | st.floats(-1, 100))
def test_another_request_is_never_better(state: FundRiskState, amount: int, due_days: float | None) -> None:
    request = open_request(amount, due_days=due_days, at=state.fund)

    def with_more(window: WindowFlows) -> WindowFlows:
        return replace(window, requested=RawAmount(window.requested + amount))

    asked = replace(
        state,
        fund=replace(state.fund, redemption_liability=RawAmount(state.fund.redemption_liability + amount)),
        open_requests=(*state.open_requests, request),
        utc_day=with_more(state.utc_day),
        last_24_hours=with_more(state.last_24_hours),
        requested_7_days=RawAmount(state.requested_7_days + amount),
    )
    for before, after in zip(measure(state, POLICY), measure(asked, POLICY), strict=True):
        assert_not_worse(before, after)


def test_run_around_midnight_is_not_split() -> None:
    state = risk_state(utc_day=flows(ONE * 2 // 100), last_24_hours=flows(ONE * 6 // 100))
    assert reading(state, IndicatorName.DAILY_REDEMPTION_RATE).value == Decimal("0.06")
    other = replace(state, utc_day=state.last_24_hours, last_24_hours=state.utc_day)
    assert reading(other, IndicatorName.DAILY_REDEMPTION_RATE).value == Decimal("0.06")


def test_deposits_are_shown_beside_the_rate_and_do_not_lower_it() -> None:
    window = WindowFlows(RawAmount(ONE * 6 // 100), RawAmount(ONE * 5 // 100), RawAmount(ONE))
    found = reading(risk_state(last_24_hours=window), IndicatorName.DAILY_REDEMPTION_RATE)
    assert (found.value, found.note) == (Decimal("0.06"), "net of deposits: 0.01")


def test_velocity_warns_at_most_until_a_fortnight_is_recorded() -> None:
    first = risk_state(requested_7_days=RawAmount(1), recorded_since=NOON - timedelta(days=13))
    assert (
        reading(first, IndicatorName.REDEMPTION_VELOCITY).value,
        reading(first, IndicatorName.REDEMPTION_VELOCITY).status,
    ) == (
        INFINITE,
        WARNING,
    )
    later = replace(first, recorded_since=NOON - timedelta(days=14))
    assert reading(later, IndicatorName.REDEMPTION_VELOCITY).status is CRITICAL
    assert reading(risk_state(), IndicatorName.REDEMPTION_VELOCITY).value == 1


def test_assets_without_profile_count_as_one_counterparty_and_warn_at_most() -> None:
    state = risk_state(fund_of(ONE * 2 // 10, ONE * 3 // 10, ONE * 5 // 10))
    unknown = reading(state, IndicatorName.COUNTERPARTY_CONCENTRATION)
    assert (unknown.value, unknown.status) == (Decimal("0.8"), WARNING)
    known = replace(state, profiles={token(3): AssetProfile("a bank", Liquidity(0, Bps(0)))})
    found = reading(known, IndicatorName.COUNTERPARTY_CONCENTRATION)
    assert (found.value, found.status, found.note) == (Decimal("0.5"), CRITICAL, "largest: a bank")


def test_request_that_awaits_approval_is_not_due() -> None:
    waiting = risk_state(fund_of(ONE, 0, 0), open_requests=(open_request(ONE, due_days=None),))
    assert reading(waiting, IndicatorName.RCR_7D).value == INFINITE
    assert reading(waiting, IndicatorName.PENDING_APPROVAL_RATIO).value == 1


@pytest.mark.parametrize(("days", "value"), [(1, INFINITE), (7, INFINITE), (30, 1), (90, 1)])
def test_request_counts_in_the_horizons_it_is_due_in(days: int, value: Decimal) -> None:
    state = risk_state(fund_of(ONE, 0, 0), open_requests=(open_request(ONE, due_days=8),))
    assert reading(state, IndicatorName(f"rcr_{days}d")).value == value


def test_asset_counts_from_its_days_to_cash_on_and_net_of_cost() -> None:
    state = risk_state(fund_of(100, 10_000, 1_000_000))
    assert [realisable(state, POLICY, days=days) for days in (0, 4, 5, 59, 60)] == [100, 100, 10_090, 10_090, 990_090]
    fast = replace(state, profiles={token(3): AssetProfile("a bank", Liquidity(1, Bps(0)))})
    assert realisable(fast, POLICY, days=1) == 1_000_100
    assert reading(state, IndicatorName.RCR_7D).note == "2 of 2 assets have no profile and count by the default of their tier"
    assert reading(fast, IndicatorName.RCR_7D).note == "1 of 2 assets have no profile and count by the default of their tier"


def test_day_without_a_recorded_opening_is_infinite_once_something_is_requested() -> None:
    unknown = WindowFlows(RawAmount(1), RawAmount(0), None)
    state = risk_state(utc_day=unknown, last_24_hours=unknown)
    assert reading(state, IndicatorName.DAILY_REDEMPTION_RATE).value == INFINITE
    quiet = replace(unknown, requested=RawAmount(0))
    assert reading(risk_state(utc_day=quiet, last_24_hours=NO_FLOWS), IndicatorName.DAILY_REDEMPTION_RATE).value == 0


def test_equal_policies_have_equal_versions_and_changed_ones_do_not() -> None:
    changed = RiskPolicy(
        thresholds={
            **DEFAULT_THRESHOLDS,
            IndicatorName.L1_RATIO: replace(DEFAULT_THRESHOLDS[IndicatorName.L1_RATIO], normal=Decimal("0.11")),
        }
    )
    same = RiskPolicy(
        thresholds={
            **DEFAULT_THRESHOLDS,
            IndicatorName.L1_RATIO: replace(DEFAULT_THRESHOLDS[IndicatorName.L1_RATIO], normal=Decimal("0.1000")),
        }
    )
    assert same.version == POLICY.version != changed.version
    assert replace(POLICY, settling=timedelta(minutes=16)).version != POLICY.version
