"""What the planner decides in cases that an operator would check by hand."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog
from tests.support.factories.rebalance import token, usdt

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount
from paimon.domain.rebalance.measured_fund import CostCurve, CostStep, MeasuredFund, OutflowDay, TradableAsset
from paimon.domain.rebalance.plan_policy import Band, LimitGroup, PlanPolicy
from paimon.domain.rebalance.planner import make_greedy_plan, make_plan
from paimon.domain.rebalance.rebalance_plan import Method, NoPlan, RebalancePlan, Side, TradeReason

POLICY = PlanPolicy()


def asset(number: int, tier: Tier, value: int, cost: int = 5, **terms: Any) -> TradableAsset:
    curve = CostCurve.flat(Bps(cost))
    return replace(TradableAsset(token(number), tier, usdt(value), curve, curve), **terms)


def spread(first: int, tier: Tier, value: int, costs: tuple[int, ...], **terms: Any) -> tuple[TradableAsset, ...]:
    """Return assets of equal value, with these costs."""
    return tuple(asset(first + place, tier, value // len(costs), cost, **terms) for place, cost in enumerate(costs))


def crowded_fund(assets_per_tier: int = 12) -> MeasuredFund:
    """A fund of 50 million with too much cash, and assets of many costs."""
    costs = tuple(2 + place * 3 % 41 for place in range(assets_per_tier))
    return MeasuredFund(
        cash=usdt(9_000_000),
        assets=(*spread(1, Tier.L2, 14_000_000, costs), *spread(100, Tier.L3, 27_000_000, costs)),
    )


def planned(fund: MeasuredFund, policy: PlanPolicy = POLICY) -> RebalancePlan:
    plan = make_plan(fund, policy)
    assert isinstance(plan, RebalancePlan), plan
    return plan


def share(plan: RebalancePlan, tier: Tier) -> float:
    return plan.after.tier_values[tier] / plan.after.total


def test_cash_above_target_buys_the_cheapest_assets_of_the_tiers_below() -> None:
    plan = planned(crowded_fund())
    assert plan.method is Method.OPTIMISED
    assert {explained.reason for explained in plan.trades} == {TradeReason.TIER_BELOW_TARGET}
    assert all(explained.trade.cost * BPS_ONE <= 3 * explained.trade.amount for explained in plan.trades)
    assert plan.broken == ()
    for tier in Tier:
        assert abs(share(plan, tier) * BPS_ONE - POLICY.targets[tier]) <= POLICY.landing
    assert all(explained.saved > 0 for explained in plan.trades)


def test_payout_of_a_later_day_is_met_by_what_is_cheap_to_sell_in_time() -> None:
    fund = MeasuredFund(
        cash=usdt(3_500_000),
        assets=(
            *spread(1, Tier.L2, 19_500_000, (4, 4, 4, 4), days_to_cash=2),
            *spread(10, Tier.L3, 27_000_000, (150, 150, 150, 150)),
        ),
        outflows=(OutflowDay(5, due=usdt(3_000_000)),),
    )
    plan = planned(fund)
    sold = {explained.trade.tier for explained in plan.trades if explained.trade.side is Side.SELL}
    assert sold == {Tier.L2}


def test_payout_of_today_sells_what_is_cash_today() -> None:
    fund = MeasuredFund(
        cash=usdt(100_000),
        assets=(
            *spread(1, Tier.L2, 16_000_000, (4, 4, 4, 4), days_to_cash=2),
            *spread(10, Tier.L3, 33_900_000, (90, 90, 90, 90)),
        ),
        outflows=(OutflowDay(0, due=usdt(2_000_000)),),
    )
    plan = planned(fund)
    assert plan.after.cash >= usdt(2_000_000)
    assert LimitGroup.PAYOUTS not in {broken.group for broken in plan.broken}
    assert any(explained.trade.tier is Tier.L3 for explained in plan.trades)


def test_payout_that_nothing_can_pay_is_named_with_what_is_missing() -> None:
    fund = MeasuredFund(
        cash=usdt(100_000),
        assets=(asset(1, Tier.L2, 200_000, 10), asset(2, Tier.L3, 4_000_000, 10, days_to_cash=20)),
        outflows=(OutflowDay(0, due=usdt(1_000_000)),),
    )
    plan = planned(fund, replace(POLICY, asset_cap=BPS_ONE, top3_cap=BPS_ONE))
    (payouts,) = [broken for broken in plan.broken if broken.group is LimitGroup.PAYOUTS]
    # 200 000 at 10 bps brings 199 800.
    assert payouts.amount == pytest.approx(usdt(1_000_000 - 100_000 - 199_800), abs=usdt(1))
    assert LimitGroup.PAYOUTS in plan.conflict


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"selling": CostCurve()}, "its price is not trusted"),
        ({"sells_in": 5}, "its window is closed"),
        ({"selling": CostCurve.flat(Bps(501))}, "its slippage is above the most that is allowed"),
        ({"selling": CostCurve.flat(Bps(10), usdt(1))}, "its market takes one USDT"),
    ],
)
def test_asset_that_cannot_be_sold_stays(change: dict[str, Any], why: str) -> None:
    """The others carry the plan."""
    heavy = asset(1, Tier.L2, 8_000_000, 1)
    fund = MeasuredFund(
        cash=usdt(5_500_000),
        assets=(
            replace(heavy, **change),
            *spread(2, Tier.L2, 11_500_000, (20, 20)),
            *spread(10, Tier.L3, 25_000_000, (20,) * 5),
        ),
    )
    sold = {
        explained.trade.token: explained.trade.amount for explained in planned(fund).trades if explained.trade.side is Side.SELL
    }
    assert sold.get(heavy.token, 0) <= usdt(1), why
    assert sum(sold.values()) > usdt(2_000_000)


def test_slippage_above_the_warning_is_marked() -> None:
    fund = MeasuredFund(
        cash=usdt(1_000_000),
        assets=(*spread(1, Tier.L2, 22_000_000, (250,) * 4), *spread(10, Tier.L3, 27_000_000, (20,) * 5)),
    )
    marked = {explained.trade.tier for explained in planned(fund).trades if explained.slippage_warning}
    assert marked == {Tier.L2}


def test_too_large_an_asset_is_sold_down_to_its_cap_and_others_take_its_place() -> None:
    fund = MeasuredFund(
        cash=usdt(5_500_000),
        assets=(
            *spread(1, Tier.L2, 15_500_000, (5,) * 5),
            asset(10, Tier.L3, 15_000_000, 40),
            *spread(11, Tier.L3, 14_000_000, (40,) * 6),
        ),
    )
    plan = planned(fund)
    (sale,) = [explained for explained in plan.trades if explained.trade.token == token(10)]
    assert sale.reason is TradeReason.CONCENTRATION
    assert plan.after.exposures[token(10)] * BPS_ONE <= POLICY.asset_cap * plan.after.total
    assert any(explained.trade.side is Side.BUY and explained.trade.tier is Tier.L3 for explained in plan.trades)


def test_three_largest_and_a_counterparty_keep_their_caps() -> None:
    policy = replace(POLICY, top3_cap=Bps(4_500), counterparty_cap=Bps(3_500))
    fund = MeasuredFund(
        cash=usdt(5_500_000),
        assets=(
            *spread(1, Tier.L2, 15_500_000, (5,) * 5, counterparty="South"),
            *spread(10, Tier.L3, 25_000_000, (40,) * 3, counterparty="North"),
            *spread(20, Tier.L3, 4_000_000, (40,) * 6, counterparty="East"),
        ),
    )
    plan = planned(fund, policy)
    assert plan.broken == ()
    assert sum(sorted(plan.after.exposures.values())[-3:]) * BPS_ONE <= policy.top3_cap * plan.after.total
    north = sum(plan.after.exposures[token(number)] for number in (10, 11, 12))
    assert north * BPS_ONE <= policy.counterparty_cap * plan.after.total


def test_limits_that_conflict_are_named_and_the_less_important_one_gives_way() -> None:
    """L3 has one asset: its band wants half of the fund in it, its cap a quarter."""
    fund = MeasuredFund(
        cash=usdt(5_500_000),
        assets=(*spread(1, Tier.L2, 15_500_000, (5,) * 5), asset(10, Tier.L3, 29_000_000, 10)),
    )
    plan = planned(fund, replace(POLICY, top3_cap=BPS_ONE))
    assert set(plan.conflict) == {LimitGroup.CONTRACT_BANDS, LimitGroup.ASSET_CAP}
    assert {broken.group for broken in plan.broken} == {LimitGroup.ASSET_CAP}


def test_purchase_below_the_least_amount_is_not_made() -> None:
    fund = MeasuredFund(
        cash=usdt(1_400_000),
        assets=(
            *spread(1, Tier.L2, 3_000_000, (5,) * 4, smallest_purchase=usdt(500_000)),
            *spread(10, Tier.L3, 5_600_000, (5,) * 6, smallest_purchase=usdt(60_000)),
        ),
    )
    bought = {explained.trade.token: explained.trade for explained in planned(fund).trades}
    assert all(trade.amount >= usdt(60_000) for trade in bought.values())
    assert all(trade.tier is Tier.L3 for trade in bought.values())


def test_small_plan_and_dear_gas_are_refused_with_the_reason() -> None:
    fund = crowded_fund()
    small = make_plan(fund, replace(POLICY, smallest_plan=usdt(10_000_000)))
    assert isinstance(small, NoPlan)
    assert "less than the smallest" in small.reason
    dear = make_plan(fund, replace(POLICY, gas_per_trade=usdt(20_000)))
    assert isinstance(dear, NoPlan)
    assert "gas" in dear.reason or "worth" in dear.reason


def test_redemption_that_cash_pays_is_no_reason_for_a_small_plan() -> None:
    due = replace(crowded_fund(), outflows=(OutflowDay(3, due=usdt(10)),))
    small = make_plan(due, replace(POLICY, smallest_plan=usdt(10_000_000)))
    assert isinstance(small, NoPlan)
    assert "less than the smallest" in small.reason


def test_buying_l3_shows_the_performance_fee_and_the_mark_that_avoids_it() -> None:
    fund = replace(crowded_fund(), performance_fee=Bps(1_000), high_water_mark=usdt(27_000_000))
    plan = planned(fund)
    grown = plan.after.tier_values[Tier.L3] - fund.tier_values[Tier.L3]
    assert grown > 0
    assert plan.performance_fee == RawAmount(grown // 10)
    assert plan.high_water_mark == fund.high_water_mark + grown
    assert replace(fund, high_water_mark=plan.high_water_mark).performance_fee_at(plan.after.tier_values[Tier.L3]) == 0


def test_cash_for_open_redemptions_is_no_cash_to_invest() -> None:
    fund = replace(crowded_fund(), reserved=usdt(3_500_000))
    plan = make_plan(fund, POLICY)
    spent = 0 if isinstance(plan, NoPlan) else plan.amount
    assert spent < planned(crowded_fund()).amount - usdt(2_000_000)


def test_greedy_plan_says_that_it_is_one_and_why() -> None:
    plan = make_greedy_plan(crowded_fund(), POLICY, "the solver did not answer within 10 s")
    assert isinstance(plan, RebalancePlan)
    assert plan.method is Method.GREEDY
    assert plan.solver == "none: the solver did not answer within 10 s"
    assert plan.broken == ()


def test_empty_fund_has_nothing_to_do() -> None:
    assert isinstance(make_plan(MeasuredFund(RawAmount(0), ()), POLICY), NoPlan)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": {Tier.L1: Bps(1_000), Tier.L2: Bps(3_000), Tier.L3: Bps(5_900)}}, "add up to 9900"),
        ({"targets": {Tier.L1: Bps(2_100), Tier.L2: Bps(2_900), Tier.L3: Bps(5_000)}}, "target of L1, 2100 bps, is outside"),
        ({"days": (1, 3)}, "begin with 0"),
        ({"days": (0, 3, 3)}, "rise"),
    ],
)
def test_policy_that_contradicts_itself_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(POLICY, **change)


@pytest.mark.parametrize(
    "steps",
    [
        ((usdt(10), 5), (usdt(10), 6)),
        ((usdt(10), 5), (usdt(20), 4)),
        ((None, 5), (usdt(20), 6)),
        ((usdt(10), 10_001),),
    ],
)
def test_curve_that_is_not_one_is_refused(steps: tuple[tuple[RawAmount | None, int], ...]) -> None:
    with pytest.raises(ValueError, match="step"):
        CostCurve(tuple(CostStep(up_to, Bps(cost)) for up_to, cost in steps))


@pytest.mark.parametrize("seed", range(12))
def test_cost_is_that_of_the_best_of_all_combinations_of_trades(seed: int) -> None:
    """Enumeration over which of few assets trade, each solved by another formulation: amounts per asset, no steps of cost."""
    random = np.random.default_rng(seed)
    costs = random.integers(1, 60, 7)
    gas = usdt(int(random.integers(1, 400)))
    policy = replace(POLICY, gas_per_trade=gas, gas_share_max=BPS_ONE, asset_cap=Bps(2_500), top3_cap=BPS_ONE)
    limits = [CostCurve.flat(Bps(int(cost)), usdt(int(random.integers(300_000, 900_000)))) for cost in costs]
    bought = tuple(
        TradableAsset(token(place + 1), Tier.L3, usdt(25_000_000 // 7), CostCurve(), limit)
        for place, limit in enumerate(limits)
    )
    fixed = spread(50, Tier.L2, 15_500_000, (5,) * 4, selling=CostCurve(), buying=CostCurve())
    fund = MeasuredFund(usdt(9_500_000), (*bought, *fixed))
    plan = planned(fund, policy)
    # No combination of trades invests the same amount for less.
    invested = sum(explained.trade.amount for explained in plan.trades) / 10**18
    assert {explained.trade.tier for explained in plan.trades} == {Tier.L3}
    best = min(
        _cheapest(invested, chosen, costs, limits, gas / 10**18) for chosen in product((False, True), repeat=len(bought))
    )
    assert (plan.cost + plan.gas) / 10**18 <= best * 1.001 + 1


def _cheapest(invested: float, chosen: tuple[bool, ...], costs: np.ndarray, limits: list[CostCurve], gas: float) -> float:
    bounds = [(0, limit.steps[0].up_to / 10**18 if use else 0) for use, limit in zip(chosen, limits, strict=True)]  # type: ignore[operator]
    answer = linprog(costs / 10_000, A_eq=np.ones((1, len(costs))), b_eq=[invested], bounds=bounds, method="highs-ds")
    return float(answer.fun) + gas * sum(chosen) if answer.status == 0 else float("inf")


def test_band_of_contract_and_settings_is_the_stricter() -> None:
    policy = replace(POLICY, contract_bands={**POLICY.contract_bands, Tier.L1: Band(Bps(900), Bps(5_000))})
    assert policy.band(Tier.L1) == Band(Bps(900), Bps(2_000))
