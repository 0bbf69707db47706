"""The planner: a plan against the solver's own time, its gap to a proven bound, and two simulated years against pro rata.

CPU times of this process, best of a few; HiGHS runs in it.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from statistics import mean
from typing import Any, Final

import numpy as np
from scipy import optimize

from bench.figures import Figure
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import WAD, Bps, RawAmount
from paimon.domain.rebalance import linear_model, trade_selection
from paimon.domain.rebalance.measured_fund import CostCurve, CostStep, MeasuredFund, OutflowDay, TradableAsset
from paimon.domain.rebalance.money_scale import MoneyScale
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.planner import make_plan
from paimon.domain.rebalance.rebalance_plan import Method
from paimon.domain.rebalance.schedule import schedule
from paimon.domain.rebalance.simulated_run import WAYS, RunSummary, example_fund, simulate
from paimon.domain.simulation.fund_days import draw_days

SEEDS: Final = range(10)
DAYS: Final = 730
ROUNDS: Final = 5
# A landing near zero, so that the planner is compared with pro rata at the same deviation, and not only at less trading.
COMPARED: Final = replace(PlanPolicy(), landing=Bps(5), deviation_cost_per_day=Bps(20))


async def measure() -> list[Figure]:
    """Measure plans of 200 assets, and of 30 with payouts on five days; then the simulated years."""
    figures = []
    for name, fund in (("200_assets", _fund(200, 1)), ("30_assets_5_payouts", _fund(30, 5))):
        whole, solving, gap = _plan_times(fund)
        figures.append(Figure(f"rebalance.plan_ms.{name}", whole * 1e3, "ms CPU", solving * 1e3, "≤ 1.5 of the solver's own"))
        figures.append(Figure(f"rebalance.gap_to_bound.{name}", gap * 1e6, "millionths", None, "≤ 1 000"))
    return figures + _simulated_years()


def _plan_times(fund: MeasuredFund) -> tuple[float, float, float]:
    """Return the CPU seconds of a plan and of the solver in it, and the gap of its cost to the proven bound."""
    policy = PlanPolicy()
    best = (np.inf, 0.0)
    for _ in range(ROUNDS):
        with _TimedSolver() as solver:
            begin = time.process_time()
            make_plan(fund, policy)
            best = min(best, (time.process_time() - begin, solver.seconds))
    scale = MoneyScale.of_fund(fund.total)
    gap = trade_selection.select_trades(fund, policy, scale, schedule(fund, policy, scale)).gap
    return best[0], best[1], gap


class _TimedSolver:
    """Counts the CPU time of `milp` within the block."""

    def __enter__(self) -> "_TimedSolver":
        self.seconds = 0.0
        self._original: Callable[..., Any] = optimize.milp
        vars(linear_model)["milp"] = self._solve
        return self

    def __exit__(self, *_: object) -> None:
        vars(linear_model)["milp"] = self._original

    def _solve(self, *arguments: Any, **options: Any) -> Any:
        begin = time.process_time()
        answer = self._original(*arguments, **options)
        self.seconds += time.process_time() - begin
        return answer


def _simulated_years() -> list[Figure]:
    fund = example_fund()
    tiers = tuple(asset.tier.on_chain for asset in fund.assets)
    runs: dict[Method, list[RunSummary]] = {method: [] for method in WAYS}
    for seed in SEEDS:
        days = draw_days(DAYS, tiers, seed=seed)
        for method in WAYS:
            runs[method].append(simulate(fund, days, COMPARED, method))
        print(f"  seed {seed + 1} of {len(SEEDS)}", flush=True)
    pro_rata = runs[Method.PRO_RATA]
    figures = []
    for method, found in runs.items():
        if method is Method.PRO_RATA:
            continue
        cost, base = (mean(run.cost / WAD for run in each) for each in (found, pro_rata))
        target = "< 0.7 of pro rata" if method is Method.OPTIMISED else None
        figures.append(Figure(f"rebalance.cost_usdt.{method}", cost, "USDT", base, target))
        deviation, base = (mean(run.mean_deviation_bps for run in each) for each in (found, pro_rata))
        target = "≤ pro rata" if method is Method.OPTIMISED else None
        figures.append(Figure(f"rebalance.deviation_bps.{method}", deviation, "bps", base, target))
        unfunded, base = (mean(run.unfunded_days for run in each) for each in (found, pro_rata))
        figures.append(Figure(f"rebalance.unfunded_days.{method}", unfunded, "days", base or None, target and "≤ pro rata"))
    return figures


def _fund(count: int, payouts: int) -> MeasuredFund:
    """Return a fund of 50 million USDT with too much L2 and too little L3, and some payouts ahead."""
    random = np.random.default_rng(3)
    assets = []
    for number in range(count):
        tier = Tier.L2 if number % 2 else Tier.L3
        whole = 50e6 * (0.37 if tier is Tier.L2 else 0.5) / (count / 2) * random.uniform(0.7, 1.3)
        cost = int(random.integers(1, 6) if tier is Tier.L2 else random.integers(8, 50))
        steps = (CostStep(RawAmount(200_000 * WAD), Bps(cost)), CostStep(RawAmount(800_000 * WAD), Bps(3 * cost)))
        curve = CostCurve((*steps, CostStep(None, Bps(8 * cost))))
        token = Address((number + 1).to_bytes(20, "big"))
        days = 0 if tier is Tier.L2 else int(random.choice([0, 2, 5]))
        least = RawAmount(1_000 * WAD)
        assets.append(TradableAsset(token, tier, RawAmount(int(whole) * WAD), curve, curve, days, smallest_purchase=least))
    outflows = tuple(OutflowDay(2 * day + 1, due=RawAmount(400_000 * WAD)) for day in range(payouts))
    reserved = RawAmount(sum(outflow.due for outflow in outflows))
    return MeasuredFund(RawAmount(6_500_000 * WAD), tuple(assets), reserved=reserved, outflows=outflows)
