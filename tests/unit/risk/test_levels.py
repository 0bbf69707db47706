"""Tests of the risk level against a model that remembers every assessment, and of the score."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.factories.risk_states import fund_of, open_request, risk_state, risk_states
from tests.support.factories.snapshots import NOON

from paimon.domain.kernel.units import RawAmount
from paimon.domain.risk.fund_risk_state import FundRiskState, SendingRecord
from paimon.domain.risk.indicators import Measurement, measure
from paimon.domain.risk.levels import check_interval, first_state, held_conditions, indicated_level, next_state
from paimon.domain.risk.risk_policy import (
    DEFAULT_CONDITIONS,
    DEFINITIONS,
    Bad,
    IndicatorGroup,
    IndicatorName,
    IndicatorStatus,
    RiskLevel,
    RiskPolicy,
)
from paimon.domain.risk.score import Score, distance, score

pytestmark = pytest.mark.unit

POLICY: Final = RiskPolicy()
SETTLING: Final = timedelta(minutes=15)
LEVELS: Final = tuple(RiskLevel)
STEP: Final = Decimal("0.000000000001")


@dataclass
class Model:
    """Remembers each assessment, and decides from all of them."""

    level: RiskLevel = RiskLevel.NORMAL
    seen: list[tuple[datetime, RiskLevel]] = field(default_factory=list)

    def assess(self, at: datetime, indicated: RiskLevel) -> None:
        if self.seen and at <= self.seen[-1][0]:
            return
        self.seen.append((at, indicated))
        last_two = [level.number for _, level in self.seen[-2:]]
        confirmed = min(last_two) if len(last_two) == 2 else 1
        if indicated is RiskLevel.CRITICAL:
            confirmed = 4
        if confirmed > self.level.number:
            self._set(LEVELS[confirmed - 1])
        elif self._settled(at):
            self._set(max((level for _, level in self._lower()), key=lambda level: level.number))

    def _set(self, level: RiskLevel) -> None:
        self.level = level
        # What was seen before a change counts for the confirmation of the next level, and not for settling.
        self.seen = [(at, found) for at, found in self.seen[-1:]]
        self.changed = self.seen[-1][0]

    def _lower(self) -> list[tuple[datetime, RiskLevel]]:
        lower: list[tuple[datetime, RiskLevel]] = []
        for at, found in reversed(self.seen):
            if found.number >= self.level.number or at == getattr(self, "changed", None):
                break
            lower.append((at, found))
        return lower

    def _settled(self, at: datetime) -> bool:
        lower = self._lower()
        return bool(lower) and at - lower[-1][0] >= SETTLING


@given(st.lists(st.tuples(st.sampled_from(LEVELS), st.integers(0, 20)), min_size=1, max_size=40))
def test_level_follows_the_model(assessments: list[tuple[RiskLevel, int]]) -> None:
    at, model = NOON, Model()
    state = None
    for indicated, minutes in assessments:
        at += timedelta(minutes=minutes)
        model.assess(at, indicated)
        state = first_state(indicated, at=at) if state is None else next_state(state, indicated, at=at, settling=SETTLING)
        assert state.level is model.level


def levels_of(*indicated: tuple[int, RiskLevel]) -> list[RiskLevel]:
    """Return the level after each assessment, given by its minute and what it indicates."""
    state = first_state(RiskLevel.NORMAL, at=NOON)
    levels = []
    for minute, level in indicated:
        state = next_state(state, level, at=NOON + timedelta(minutes=minute), settling=SETTLING)
        levels.append(state.level)
    return levels


NORMAL, ELEVATED, HIGH, CRITICAL = LEVELS


def test_high_is_entered_after_two_assessments_and_critical_after_one() -> None:
    assert levels_of((1, HIGH), (2, HIGH)) == [NORMAL, HIGH]
    assert levels_of((1, HIGH), (2, NORMAL), (3, HIGH)) == [NORMAL, NORMAL, NORMAL]
    assert levels_of((1, CRITICAL)) == [CRITICAL]


def test_second_assessment_confirms_the_lower_of_both() -> None:
    assert levels_of((1, HIGH), (2, ELEVATED)) == [NORMAL, ELEVATED]
    assert levels_of((1, ELEVATED), (2, HIGH), (3, HIGH)) == [NORMAL, ELEVATED, HIGH]


def test_level_is_left_after_settling_to_the_highest_seen_meanwhile() -> None:
    entered = ((1, HIGH), (2, HIGH))
    assert levels_of(*entered, (3, NORMAL), (17, NORMAL), (18, NORMAL))[2:] == [HIGH, HIGH, NORMAL]
    assert levels_of(*entered, (3, NORMAL), (10, ELEVATED), (18, NORMAL), (33, NORMAL))[2:] == [HIGH, HIGH, ELEVATED, ELEVATED]
    assert levels_of(*entered, (3, NORMAL), (17, HIGH), (18, NORMAL), (33, NORMAL))[2:] == [HIGH, HIGH, HIGH, NORMAL]


def test_assessment_of_the_same_block_does_not_confirm() -> None:
    state = first_state(NORMAL, at=NOON)
    once = next_state(state, HIGH, at=NOON + timedelta(minutes=1), settling=SETTLING)
    assert next_state(once, HIGH, at=NOON + timedelta(minutes=1), settling=SETTLING) == once
    assert next_state(once, HIGH, at=NOON, settling=SETTLING) == once


def test_next_check_comes_sooner_while_a_level_may_be_entered() -> None:
    calm = first_state(NORMAL, at=NOON)
    assert check_interval(calm) == timedelta(minutes=5)
    assert check_interval(first_state(HIGH, at=NOON)) == timedelta(minutes=1)
    assert check_interval(first_state(CRITICAL, at=NOON)) == timedelta(minutes=1)


def measured(name: IndicatorName, value: Decimal) -> Measurement:
    return Measurement(name, value, IndicatorStatus.NORMAL)


def test_level_table_is_that_of_the_design() -> None:
    assert {(row.level, row.indicator, str(row.limit)) for row in DEFAULT_CONDITIONS} == {
        (ELEVATED, IndicatorName.L1_RATIO, "0.10"),
        (ELEVATED, IndicatorName.DAILY_REDEMPTION_RATE, "0.03"),
        (ELEVATED, IndicatorName.NAV_VOLATILITY_24H, "0.03"),
        (HIGH, IndicatorName.L1_RATIO, "0.08"),
        (HIGH, IndicatorName.RCR_7D_STRESSED, "1"),
        (HIGH, IndicatorName.RCR_7D, "1.2"),
        (HIGH, IndicatorName.DAILY_REDEMPTION_RATE, "0.05"),
        (CRITICAL, IndicatorName.RCR_7D, "1"),
        (CRITICAL, IndicatorName.L1_L2_RATIO, "0.25"),
        (CRITICAL, IndicatorName.FAILED_IN_A_ROW, "2"),
    }


@pytest.mark.parametrize("condition", DEFAULT_CONDITIONS, ids=lambda row: f"{row.level}-{row.indicator}")
def test_condition_holds_only_beyond_its_limit(condition: object) -> None:
    (row,) = (row for row in DEFAULT_CONDITIONS if row == condition)
    beyond = -STEP if DEFINITIONS[row.indicator].bad is Bad.LOW else STEP

    def indicates(value: Decimal) -> bool:
        held = held_conditions([measured(row.indicator, value)], POLICY)
        return row in [found.condition for found in held]

    assert [indicates(row.limit + beyond), indicates(row.limit), indicates(row.limit - beyond)] == [True, False, False]


def test_one_holder_who_books_for_next_quarter_does_not_make_the_level_critical() -> None:
    """43 % of the fund is requested for a day in 80 days: more than all liquidity, but nothing is due soon."""
    booked = risk_state(
        fund_of(110, 310, 580, redemption_liability=RawAmount(430)), open_requests=(open_request(430, due_days=80),)
    )
    assert indicated_level(held_conditions(measure(booked, POLICY), POLICY)) is NORMAL
    soon = replace(booked, open_requests=(open_request(430, due_days=6),))
    assert indicated_level(held_conditions(measure(soon, POLICY), POLICY)) is CRITICAL


@settings(max_examples=40)
@given(risk_states())
def test_score_is_the_sum_of_its_contributions_between_0_and_100(state: FundRiskState) -> None:
    found = score(measure(state, POLICY), POLICY)
    assert 0 <= found.value <= 100
    assert len({contribution.group for contribution in found.contributions}) == len(found.contributions)


def test_score_renormalises_over_the_groups_that_are_measured() -> None:
    worst = score([measured(IndicatorName.L1_RATIO, Decimal(0)), measured(IndicatorName.FAILED_IN_A_ROW, Decimal(0))], POLICY)
    assert [(found.group, found.points) for found in worst.contributions] == [
        (IndicatorGroup.LIQUIDITY, Decimal("80.00")),
        (IndicatorGroup.OPERATIONAL, Decimal("0.00")),
    ]
    assert score([measured(IndicatorName.L1_RATIO, Decimal(0))], POLICY).value == 100
    assert score([], POLICY) == Score(())


def test_distance_is_0_at_normal_1_at_critical_and_at_most_1_5() -> None:
    threshold = POLICY.thresholds[IndicatorName.L1_RATIO]
    values = ("0.2", "0.1", "0.09", "0.08", "0.07", "0", "Infinity")
    expected = [Decimal(text) for text in ("0", "0", "0.5", "1", "1.5", "1.5", "0")]
    assert [distance(Decimal(value), threshold, Bad.LOW) for value in values] == expected
    high = POLICY.thresholds[IndicatorName.REDEMPTION_VELOCITY]
    fast = ("1", "1.75", "1e70", "Infinity")
    assert [distance(Decimal(value), high, Bad.HIGH) for value in fast] == [
        Decimal(text) for text in ("0", "0.5", "1.5", "1.5")
    ]


def test_calm_fund_scores_only_what_its_concentration_adds() -> None:
    found = score(measure(risk_state(), POLICY), POLICY)
    assert {item.group for item in found.contributions if item.points} == {IndicatorGroup.CONCENTRATION}
    failing = score(measure(risk_state(sending=SendingRecord(3, 3, 3)), POLICY), POLICY)
    assert failing.value > found.value
