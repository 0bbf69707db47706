"""Each condition at its threshold, just above and just below it, and how it is quiet afterwards."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.factories.rebalance import token, usdt

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount
from paimon.domain.rebalance.measured_fund import CostCurve, MeasuredFund, TradableAsset
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.triggers import (
    Beyond,
    ConditionMemory,
    FundEvents,
    Hold,
    HoldCode,
    Trigger,
    TriggerAnswer,
    TriggerPolicy,
    Verdict,
    answer_of,
    conditions,
    judge_triggers,
)

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
POLICY, TRIGGERS = PlanPolicy(), TriggerPolicy()
TOTAL = usdt(10_000_000)
RAN_TODAY = {"daily_deviation": ConditionMemory(NOON.replace(hour=0), is_armed=False)}


def fund(l1: int, l2: int, *l3: int) -> MeasuredFund:
    """Return a fund of 10 million with these shares in basis points: cash, five equal assets of L2, and each of L3."""
    parts = [(Tier.L2, TOTAL * l2 // BPS_ONE // 5)] * 5 + [(Tier.L3, TOTAL * share // BPS_ONE) for share in l3]
    assets = tuple(
        TradableAsset(token(number), tier, RawAmount(value), CostCurve(), CostCurve())
        for number, (tier, value) in enumerate(parts, start=1)
    )
    return MeasuredFund(RawAmount(TOTAL * l1 // BPS_ONE), assets)


ON_TARGET = fund(1_100, 3_100, *(1_160,) * 5)


def judged(
    subject: MeasuredFund = ON_TARGET,
    events: FundEvents | None = None,
    memory: Mapping[str, ConditionMemory] = RAN_TODAY,
    short: int = 0,
    now: datetime = NOON,
) -> dict[str, Verdict]:
    verdicts = judge_triggers(
        subject, POLICY, TRIGGERS, events or FundEvents(), memory, short_of_cash=RawAmount(short), now=now
    )
    return {verdict.condition.name: verdict for verdict in verdicts}


def fired(*arguments: object, **options: object) -> set[str]:
    return {name for name, verdict in judged(*arguments, **options).items() if verdict.fires}  # type: ignore[arg-type]


def test_nothing_fires_on_target_and_each_condition_says_why() -> None:
    verdicts = judged()
    assert not any(verdict.fires for verdict in verdicts.values())
    assert verdicts["l1_below"].reason == "1100 is not below 800"
    assert set(verdicts) == {condition.name for condition in conditions(TRIGGERS)}


@pytest.mark.parametrize(
    ("subject", "names"),
    [
        (fund(800, 3_300, *(1_180,) * 5), set()),
        (fund(799, 3_301, *(1_180,) * 5), {"l1_below"}),
        (fund(1_500, 2_900, *(1_120,) * 5), set()),
        (fund(1_501, 2_899, *(1_120,) * 5), {"l1_above"}),
        (fund(1_100, 2_600, *(1_260,) * 5), set()),
        (fund(1_100, 2_599, *(1_260,) * 4, 1_261), {"tier_deviation"}),
        (fund(1_100, 3_100, 2_500, *(1_100,) * 3), set()),
        (fund(1_100, 3_100, 2_501, 1_099, *(1_100,) * 2), {"largest_asset"}),
        (fund(1_100, 3_000, *(2_000,) * 2, 1_900), set()),
        (fund(1_100, 2_800, *(2_000,) * 2, 2_001, 99), {"three_largest_assets"}),
    ],
)
def test_condition_fires_beyond_its_threshold_and_not_at_it(subject: MeasuredFund, names: set[str]) -> None:
    assert fired(subject) == names


@pytest.mark.parametrize(
    ("events", "names"),
    [
        (FundEvents(largest_deposit=usdt(100_000)), set()),
        (FundEvents(largest_deposit=RawAmount(usdt(100_000) + 1)), {"deposit"}),
        (FundEvents(opened=(token(1),)), {"window_opened"}),
        (FundEvents(matured=(token(1),)), {"asset_matured"}),
        (FundEvents(price_moves={token(1): Bps(500), token(2): Bps(-500)}), set()),
        (FundEvents(price_moves={token(1): Bps(-501)}), {"price_move"}),
        (FundEvents(requested_by="0xAb"), {"manual_request"}),
    ],
)
def test_events_fire(events: FundEvents, names: set[str]) -> None:
    assert fired(events=events) == names


def test_forecast_outflow_above_what_can_be_paid_fires() -> None:
    assert fired(short=0) == set()
    assert fired(short=1) == {"short_of_cash"}


def test_daily_check_fires_once_a_day_and_only_off_target() -> None:
    off = fund(1_100, 3_000, *(1_180,) * 5)
    yesterday = {"daily_deviation": ConditionMemory(NOON - timedelta(hours=12, minutes=1), is_armed=False)}
    midnight = NOON.replace(hour=0)
    assert fired(off, memory={}) == {"daily_deviation"}
    assert fired(off, memory=RAN_TODAY) == set()
    assert fired(ON_TARGET, memory={}) == set()
    assert fired(off, memory=yesterday, now=midnight + timedelta(hours=23)) == {"daily_deviation"}


def test_figure_that_trembles_at_its_threshold_fires_once_until_its_cool_down_is_over() -> None:
    memory = dict(RAN_TODAY)
    low, nearly, well = (fund(share, 4_100 - share, *(1_180,) * 5) for share in (790, 810, 1_000))
    fires = []
    for minute, subject in enumerate((low, nearly, low, nearly, low)):
        now = NOON + timedelta(minutes=minute)
        verdict = judged(subject, memory=memory, now=now)["l1_below"]
        memory["l1_below"] = verdict.memory
        fires.append(verdict.fires)
    assert fires == [True, False, False, False, False]
    assert "quiet until 13:00" in verdict.reason
    assert judged(low, memory=memory, now=NOON + timedelta(hours=1))["l1_below"].fires
    # Back well inside, the next fall is a new one, cool-down or not.
    memory["l1_below"] = judged(well, memory=memory, now=NOON + timedelta(minutes=6))["l1_below"].memory
    assert judged(low, memory=memory, now=NOON + timedelta(minutes=7))["l1_below"].fires


@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("deposit", FundEvents(largest_deposit=usdt(200_000))),
        ("window_opened", FundEvents(opened=(token(2),))),
        ("asset_matured", FundEvents(matured=(token(3),))),
        ("price_move", FundEvents(price_moves={token(4): Bps(900)})),
    ],
)
def test_event_of_its_quiet_time_fires_when_that_is_over(name: str, events: FundEvents) -> None:
    memory = dict(RAN_TODAY)
    fires = []
    # An event, none since, one more within the hour, and the same one when the hour is over.
    for minute, happened in ((0, events), (5, FundEvents()), (10, events), (60, events)):
        verdict = judged(events=happened, memory=memory, now=NOON + timedelta(minutes=minute))[name]
        memory[name] = verdict.memory
        fires.append((verdict.fires, "quiet until 13:00" in verdict.reason))
    assert fires == [(True, False), (False, False), (False, True), (True, False)]


FIRED = ConditionMemory(NOON - timedelta(minutes=10), is_armed=False)
LONG_AGO = ConditionMemory(NOON - timedelta(days=2), is_armed=False)


@pytest.mark.parametrize(
    ("memory", "why", "answer"),
    [
        (None, None, TriggerAnswer.NOT_JUDGED),
        (None, Hold(HoldCode.PAUSED), TriggerAnswer.HELD_BACK),
        (ConditionMemory(), None, TriggerAnswer.PLANS),
        (FIRED, None, TriggerAnswer.QUIET),
        (FIRED, Hold(HoldCode.PLAN_UNDER_WAY, "p"), TriggerAnswer.QUIET),
        (LONG_AGO, None, TriggerAnswer.PLANS),
        (LONG_AGO, Hold(HoldCode.NOT_IN_SNAPSHOT, "7"), TriggerAnswer.HELD_BACK),
    ],
)
def test_answer_says_what_a_condition_does_now(memory: ConditionMemory | None, why: Hold | None, answer: TriggerAnswer) -> None:
    met = judged(short=1)
    assert answer_of(met["short_of_cash"], memory, why, now=NOON) is answer
    assert answer_of(met["l1_below"], memory, why, now=NOON) is TriggerAnswer.NOT_MET


def test_each_hold_has_its_sentence() -> None:
    sentences = {code: str(Hold(code, "rebalance:1")) for code in HoldCode}
    assert len(set(sentences.values())) == len(HoldCode)
    assert sentences[HoldCode.PLAN_UNDER_WAY] == "the plan rebalance:1 is under way"


def test_empty_fund_fires_nothing() -> None:
    assert fired(MeasuredFund(RawAmount(0), ()), memory={}) == set()


def test_conditions_of_a_side_re_arm_inside_their_thresholds() -> None:
    for condition in conditions(TRIGGERS):
        inside = (
            condition.rearm <= condition.threshold if condition.side is Beyond.ABOVE else condition.rearm > condition.threshold
        )
        assert inside, condition
        assert condition.is_settled(condition.rearm)
        assert not condition.is_met(condition.threshold)
    assert {condition.trigger for condition in conditions(TRIGGERS)} == set(Trigger)
