"""Returns of a share: the parts add up to the change of NAV, and statistics equal those of an independent formula."""

import statistics
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.factories.snapshots import position, snapshot, token

from paimon.domain.kernel.units import NavPerShare
from paimon.domain.report.document import Section
from paimon.domain.report.fund_report import fund_report
from paimon.domain.report.inputs import BoundingSnapshot, NavReading, ReportInputs
from paimon.domain.report.period import ReportKind, ReportPeriod
from paimon.domain.report.returns import annualised, max_drawdown, net_return, volatility
from paimon.domain.risk.nav_publication import NavStatus
from paimon.domain.vault.nav_components import AttributionGroup, ComponentKey, ComponentKind, NavAttribution, NavComponent

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAVS = st.lists(st.integers(9 * 10**17, 11 * 10**17), min_size=1, max_size=60)


def days(navs: list[int]) -> list[NavReading]:
    return [NavReading(START + timedelta(days=day), NavPerShare(nav)) for day, nav in enumerate(navs)]


@given(NAVS)
def test_volatility_is_the_deviation_of_daily_returns_by_the_root_of_the_year(navs: list[int]) -> None:
    found = volatility(days(navs))
    returns = [later / earlier - 1 for earlier, later in pairwise(navs)]
    if len(returns) < 5:
        assert found is None
    else:
        assert found is not None
        assert float(found) == pytest.approx(statistics.stdev(returns) * 365**0.5, abs=1e-9)


def test_volatility_takes_the_last_point_of_a_day_and_no_return_over_a_gap() -> None:
    readings = days([10**18 + day * 10**15 for day in range(12)])
    noise = [NavReading(reading.at - timedelta(hours=2), NavPerShare(5 * 10**17)) for reading in readings]
    both = sorted([*readings, *noise], key=lambda reading: reading.at)
    assert volatility(both) == volatility(readings)
    jump = [*readings, NavReading(START + timedelta(days=20), NavPerShare(2 * 10**18))]
    assert volatility(jump) == volatility(readings)


@given(NAVS)
def test_drawdown_is_the_deepest_fall_from_any_point_to_a_later_one(navs: list[int]) -> None:
    found = max_drawdown(days(navs))
    falls = [(high - low) / high for first, high in enumerate(navs) for low in navs[first + 1 :] if low < high]
    if not falls:
        assert found is None
    else:
        assert found is not None
        assert float(found.depth) == pytest.approx(max(falls), abs=1e-11)
        by_day = {reading.at: reading.nav_per_share for reading in days(navs)}
        high, low = by_day[found.peak_at], by_day[found.trough_at]
        assert found.peak_at < found.trough_at
        assert float(found.depth) == pytest.approx((high - low) / high, abs=1e-11)


@pytest.mark.parametrize(
    ("total", "lasted", "expected"),
    [
        (Decimal("0.10"), timedelta(days=365), Decimal("0.10")),
        (Decimal("0.21"), timedelta(days=730), Decimal("0.10")),
        (Decimal("0.10"), timedelta(days=365) - timedelta(seconds=1), None),
        (Decimal("-1"), timedelta(days=400), None),
    ],
)
def test_a_return_is_annualised_from_a_year_on(total: Decimal, lasted: timedelta, expected: Decimal | None) -> None:
    found = annualised(total, lasted)
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert abs(found - expected) <= Decimal("1e-11")


def test_a_return_is_rounded_half_to_even_and_there_is_none_of_nothing() -> None:
    assert net_return(NavPerShare(3), NavPerShare(4)) == Decimal("0.333333333333")
    assert net_return(NavPerShare(2 * 10**12), NavPerShare(2 * 10**12 + 1)) == Decimal(0)
    assert net_return(NavPerShare(2 * 10**12), NavPerShare(2 * 10**12 + 3)) == Decimal("0.000000000002")
    assert net_return(NavPerShare(0), NavPerShare(4)) is None


# ------------------------------------------------------------------------------------------------------------- section


def performance_of(kind: ReportKind, amounts: dict[ComponentKey, tuple[int, int]]) -> Section | None:
    """Return the section of a fund whose change is made of these components; the rest is yield of another asset."""
    opening, closing = snapshot(1), replace(snapshot(2_000), assets=(position(7), position(9)))
    change = closing.net_assets - opening.net_assets
    per_share = closing.nav_per_share - opening.nav_per_share
    rest = ComponentKey(AttributionGroup.YIELD, ComponentKind.YIELD, token(9))
    amounts = amounts | {
        rest: (change - sum(each for each, _ in amounts.values()), per_share - sum(each for _, each in amounts.values()))
    }
    attribution = NavAttribution(
        opening, closing, tuple(NavComponent(key, *values) for key, values in amounts.items()), division_count=0
    )
    period = ReportPeriod.containing(kind, date(2026, 3, 2))
    inputs = ReportInputs(
        period, period.end, period.end, 18, attribution=attribution,
        opening=BoundingSnapshot(opening, NavStatus.PUBLISHED), closing=BoundingSnapshot(closing, NavStatus.PUBLISHED),
    )  # fmt: skip
    sections = {section.key: section for section in fund_report(inputs).sections}
    return sections.get("performance")


@pytest.mark.parametrize("kind", [ReportKind.WEEKLY, ReportKind.MONTHLY])
def test_result_fees_and_dilution_add_up_to_the_change_of_a_share(kind: ReportKind) -> None:
    fee = ComponentKey(AttributionGroup.FEES, ComponentKind.PERFORMANCE)
    deposit = ComponentKey(AttributionGroup.DEPOSITS, ComponentKind.DEPOSIT)
    price = ComponentKey(AttributionGroup.PRICE, ComponentKind.PRICE, token(7))
    section = performance_of(kind, {fee: (-50, -5 * 10**15), deposit: (900, 2 * 10**15), price: (70, 3 * 10**16)})
    assert section is not None
    found = {figure.key: figure.value for figure in section.figures}
    opening, closing = snapshot(1), replace(snapshot(2_000), assets=(position(7), position(9)))
    change = closing.nav_per_share - opening.nav_per_share
    assert (found["feesPerShare"], found["dilutionPerShare"]) == (-5 * 10**15, 2 * 10**15)
    assert found["resultPerShare"] == change + 5 * 10**15 - 2 * 10**15
    assert found["netReturn"] == net_return(opening.nav_per_share, closing.nav_per_share)
    gross, net = found["grossReturn"], found["netReturn"]
    assert isinstance(gross, Decimal)
    assert isinstance(net, Decimal)
    fees = Decimal(5 * 10**15) / opening.nav_per_share
    assert abs(gross - net - fees) <= Decimal("1e-12")
    assert found["netReturnAnnualised"] is None
    tables = {table.key: table.rows for table in section.tables}
    assert tables["fees"] == (("performance", -50, -5 * 10**15),)
    by_token = {row[0]: row for row in tables["assets"]}
    assert len(by_token) == 2
    assert {row[2] for row in by_token.values()} == {70, 0}
    for _token, _tier, from_price, from_yield, other, amount, _share in tables["assets"]:
        assert from_price + from_yield + other == amount  # type: ignore[operator]


def test_a_day_has_no_performance_section() -> None:
    assert performance_of(ReportKind.DAILY, {}) is None
