"""Rules that every plan keeps, over random funds: whole ones, empty ones, and ones that cannot pay."""

import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.factories.rebalance import assets, funds, healthy_funds, token, usdt

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount
from paimon.domain.rebalance.applied_trades import broken_limits, deviation_beyond_landing, fund_after
from paimon.domain.rebalance.measured_fund import CostCurve, MeasuredFund, OutflowDay, TradableAsset
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.planner import make_greedy_plan, make_plan
from paimon.domain.rebalance.rebalance_plan import Method, NoPlan, RebalancePlan, Side, Trade
from paimon.domain.rebalance.simple_plans import pro_rata_trades, split_pro_rata

POLICY = PlanPolicy()
EXAMPLES = int(os.environ.get("PAIMON_TEST_PLANS", "12"))
"""Of random funds for each rule. Thousands on demand: `PAIMON_TEST_PLANS=3000 make unit`."""


def trades_of(plan: RebalancePlan | NoPlan) -> tuple[Trade, ...]:
    return () if isinstance(plan, NoPlan) else tuple(explained.trade for explained in plan.trades)


def carried_out(fund: MeasuredFund, trades: Iterable[Trade]) -> MeasuredFund:
    """Return the fund as it is measured after the trades, cash of later settlements under way."""
    cash, values, arriving = int(fund.cash), {asset.token: int(asset.value) for asset in fund.assets}, list(fund.arriving)
    for trade in trades:
        if trade.side is Side.BUY:
            cash -= trade.amount
            values[trade.token] += trade.proceeds
            continue
        values[trade.token] -= trade.amount
        if trade.settles_in:
            arriving.append((trade.settles_in, trade.proceeds))
        else:
            cash += trade.proceeds
    held = tuple(replace(asset, value=RawAmount(values[asset.token])) for asset in fund.assets)
    return replace(fund, cash=RawAmount(cash), assets=held, arriving=tuple(arriving))


@settings(max_examples=EXAMPLES)
@given(st.one_of(funds(), healthy_funds()))
def test_plan_conserves_money_and_never_goes_below_zero(fund: MeasuredFund) -> None:
    plan = make_plan(fund, POLICY)
    trades = trades_of(plan)
    after = fund_after(fund, trades)
    measured = carried_out(fund, trades)
    assert after.cash == measured.cash >= 0
    assert all(asset.value >= 0 for asset in measured.assets)
    before_everything = fund.cash + sum(asset.exposure for asset in fund.assets)
    after_everything = measured.cash + sum(amount for _, amount in measured.arriving) + sum(a.exposure for a in measured.assets)
    assert after_everything == before_everything - sum(trade.cost for trade in trades)
    assert sum(after.tier_values.values()) == after_everything - fund.reserved
    if isinstance(plan, RebalancePlan):
        assert plan.after == after
        assert plan.cost == sum(trade.cost for trade in trades)


@settings(max_examples=EXAMPLES)
@given(st.one_of(funds(assets_min=3), healthy_funds()))
def test_plan_breaks_no_limit_without_naming_it_and_what_conflicts(fund: MeasuredFund) -> None:
    plan = make_plan(fund, POLICY)
    if isinstance(plan, RebalancePlan):
        assert plan.broken == broken_limits(fund, POLICY, fund_after(fund, trades_of(plan)))
        assert not plan.broken or plan.conflict or plan.method is Method.GREEDY


@settings(max_examples=EXAMPLES)
@given(funds(assets_min=3))
def test_no_trade_costs_more_than_the_most_that_a_trade_may_cost(fund: MeasuredFund) -> None:
    for trade in (*trades_of(make_plan(fund, POLICY)), *trades_of(make_greedy_plan(fund, POLICY, "a test"))):
        assert trade.cost * BPS_ONE <= POLICY.slippage_max * trade.amount + BPS_ONE


@settings(max_examples=EXAMPLES)
@given(healthy_funds())
def test_carried_out_plan_leaves_nothing_worth_doing(fund: MeasuredFund) -> None:
    """With markets that take any amount at one price: what a market recovers by tomorrow is a reason to wait for it."""
    flat = tuple(
        replace(asset, selling=CostCurve((last,)), buying=CostCurve((last,)))
        for asset in fund.assets
        for last in asset.selling.steps[-1:]
    )
    fund = replace(fund, assets=flat)
    plan = make_plan(fund, POLICY)
    if isinstance(plan, RebalancePlan) and plan.method is Method.OPTIMISED and not plan.conflict:
        again = make_plan(carried_out(fund, trades_of(plan)), POLICY)
        assert isinstance(again, NoPlan), again


@settings(max_examples=EXAMPLES)
@given(healthy_funds())
def test_fund_on_target_is_left_alone(fund: MeasuredFund) -> None:
    total = usdt(50_000_000)
    placed = tuple(
        replace(asset, value=RawAmount(total * POLICY.targets[asset.tier] // BPS_ONE // count))
        for asset in fund.assets
        for count in (sum(other.tier is asset.tier for other in fund.assets),)
    )
    on_target = MeasuredFund(RawAmount(total - sum(asset.value for asset in placed)), placed)
    assert isinstance(make_plan(on_target, POLICY), NoPlan)


def short_in_a_week(*, due: int = 0, expected: int = 0) -> MeasuredFund:
    """A fund of a million that is on target; what is sold of its L2 today is cash in a week."""
    costs = {Tier.L2: CostCurve.flat(Bps(10)), Tier.L3: CostCurve.flat(Bps(200))}
    held = ((1, Tier.L2, 155_000), (2, Tier.L2, 155_000), *((number, Tier.L3, 145_000) for number in range(3, 7)))
    return MeasuredFund(
        usdt(110_000),
        tuple(
            TradableAsset(token(number), tier, usdt(value), costs[tier], costs[tier], days_to_cash=7)
            for number, tier, value in held
        ),
        outflows=(OutflowDay(7, due=usdt(due), expected=usdt(expected), stressed=usdt(expected)),),
    )


SMALL = replace(POLICY, smallest_plan=usdt(900_000))
DEAR = replace(POLICY, gas_share_max=Bps(0))


def test_payout_that_is_due_excuses_a_small_plan_and_dear_gas_and_a_forecast_does_not() -> None:
    forecast = short_in_a_week(expected=160_000)
    plan = make_plan(forecast, POLICY)
    assert {trade.side for trade in trades_of(plan)} == {Side.SELL}, "it is worth what averting the shortage is worth"
    for policy, why in ((SMALL, "less than the smallest"), (DEAR, "gas of")):
        refused = make_plan(forecast, policy)
        assert isinstance(refused, NoPlan)
        assert why in refused.reason
        assert trades_of(make_plan(short_in_a_week(due=160_000), policy))


@settings(max_examples=EXAMPLES)
@given(st.data())
def test_pro_rata_split_places_all_that_there_is_room_for(data: st.DataObject) -> None:
    members = [data.draw(assets(number)) for number in range(1, 6)]
    side = data.draw(st.sampled_from(Side))
    amount = RawAmount(data.draw(st.integers(0, 30_000_000 * 10**18)))
    parts = dict(split_pro_rata(members, side, amount))
    room = {
        asset: (asset.selling if side is Side.SELL else asset.buying).largest_trade(
            asset.value if side is Side.SELL else amount
        )
        for asset in members
    }
    assert sum(parts.values()) == min(amount, sum(room.values()))
    assert all(0 < part <= room[asset] for asset, part in parts.items())


@settings(max_examples=EXAMPLES)
@given(healthy_funds())
def test_plan_is_never_dearer_than_pro_rata_where_both_reach_the_target(fund: MeasuredFund) -> None:
    fund = replace(fund, outflows=())
    plan, pro_rata = make_plan(fund, POLICY), pro_rata_trades(fund, POLICY)
    after = fund_after(fund, pro_rata)
    reached = not broken_limits(fund, POLICY, after) and not deviation_beyond_landing(POLICY, after.tier_values, after.total)
    if isinstance(plan, RebalancePlan) and not plan.conflict and reached:
        assert plan.cost + plan.gas <= sum(trade.cost + POLICY.gas_per_trade for trade in pro_rata) * 1_001 // 1_000


PRINT_A_PLAN = """
from dataclasses import replace
from tests.unit.rebalance.test_rebalance_planner import crowded_fund
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.planner import make_plan
print(make_plan(crowded_fund(), PlanPolicy()))
"""


def test_plan_is_the_same_in_every_process() -> None:
    def answer(hash_seed: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", PRINT_A_PLAN], env={"PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True
        ).stdout

    assert answer("1") == answer("2") != ""
