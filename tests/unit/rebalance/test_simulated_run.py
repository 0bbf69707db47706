"""The simulated years: money is accounted for, every way sees the same days, and a run on the fund is paid by plans."""

from dataclasses import replace

import pytest

from paimon.domain.kernel.units import WAD, Bps, RawAmount
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.rebalance_plan import Method
from paimon.domain.rebalance.simulated_run import WAYS, example_fund, simulate
from paimon.domain.simulation.fund_days import FlowModel, FundDay, draw_days

FUND = example_fund()
TIERS = tuple(asset.tier.on_chain for asset in FUND.assets)
POLICY = PlanPolicy()


def test_same_seed_gives_the_same_days_and_another_seed_others() -> None:
    assert draw_days(30, TIERS, seed=5) == draw_days(30, TIERS, seed=5)
    assert draw_days(30, TIERS, seed=5) != draw_days(30, TIERS, seed=6)


@pytest.mark.parametrize("method", WAYS)
def test_every_unit_is_accounted_for(method: Method) -> None:
    """Without growth and investors, only what trading costs is gone at the end."""
    start = replace(FUND, cash=RawAmount(3 * FUND.cash))
    run = simulate(start, [FundDay(0.0, 0.0, (0.0,) * len(TIERS))] * 15, POLICY, method)
    assert run.final_total + run.cost - run.trades * POLICY.gas_per_trade == start.total
    assert (run.plans > 0) is (method is not Method.NOTHING)


def test_planner_costs_less_than_pro_rata_at_a_like_deviation() -> None:
    days = draw_days(240, TIERS, seed=1)
    policy = replace(POLICY, landing=Bps(5), deviation_cost_per_day=Bps(20))
    planner, pro_rata = (simulate(FUND, days, policy, method) for method in (Method.OPTIMISED, Method.PRO_RATA))
    assert planner.cost * 10 < pro_rata.cost * 7
    assert planner.mean_deviation_bps < pro_rata.mean_deviation_bps + 10
    assert planner.unfunded_days <= pro_rata.unfunded_days


def test_run_that_cash_cannot_pay_is_paid_by_plans_and_not_without_them() -> None:
    """Half of the fund asked back within a week."""
    calm = draw_days(30, TIERS, seed=2, flows=FlowModel(deposits=0.0, requests=0.0))
    days = [replace(day, requests=0.1) if 5 <= number < 10 else day for number, day in enumerate(calm)]
    assert simulate(FUND, days, POLICY, Method.NOTHING).unfunded_days > 0
    planned = simulate(FUND, days, POLICY, Method.OPTIMISED)
    assert planned.days[-1].unpaid == 0
    assert planned.unfunded_days == 0


def test_no_days_cost_nothing() -> None:
    run = simulate(FUND, (), POLICY, Method.OPTIMISED)
    assert (run.cost, run.plans, run.unfunded_days, run.final_total) == (0, 0, 0, FUND.total)


def test_example_fund_is_on_target() -> None:
    assert FUND.total == RawAmount(50_000_000 * WAD)
    assert simulate(FUND, [FundDay(0.0, 0.0, (0.0,) * len(TIERS))], POLICY, Method.OPTIMISED).plans == 0
