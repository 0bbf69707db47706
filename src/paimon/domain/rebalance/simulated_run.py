"""How a way of planning does over simulated years: what it costs, how far off target the fund is, and whom it cannot pay.

Every way sees the same days. Each day assets grow, deposits arrive and sales settle; a plan is made where a tier is off target
beyond the trigger or a payout is at risk; and what is due is paid. Amounts are exact; only the days are drawn as floats. Gas is
a cost of a plan that the wallet pays, not the fund.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import BPS_ONE, WAD, Bps, RawAmount
from paimon.domain.rebalance.measured_fund import CostCurve, CostStep, MeasuredFund, OutflowDay, TradableAsset
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.planner import make_plan
from paimon.domain.rebalance.rebalance_plan import Method, NoPlan, Side, Trade
from paimon.domain.rebalance.simple_plans import greedy_trades, pro_rata_trades
from paimon.domain.simulation.fund_days import FundDay

SETTLEMENT_DAYS: Final = 7
_RESERVE_DAYS: Final = 7

Way = Callable[[MeasuredFund, PlanPolicy], Iterable[Trade]]


def _optimised(fund: MeasuredFund, policy: PlanPolicy) -> tuple[Trade, ...]:
    plan = make_plan(fund, policy)
    return () if isinstance(plan, NoPlan) else tuple(explained.trade for explained in plan.trades)


WAYS: Final[dict[Method, Way]] = {
    Method.OPTIMISED: _optimised,
    Method.GREEDY: greedy_trades,
    Method.PRO_RATA: pro_rata_trades,
    Method.NOTHING: lambda _fund, _policy: (),
}
"""The planner, and what it is compared with."""


@dataclass(frozen=True, slots=True)
class SimulatedDay:
    """The end of one day. Amounts in raw units; `deviation` is the largest of the tiers, in basis points."""

    number: int
    total: RawAmount
    tier_values: dict[Tier, int]
    deviation: Bps
    cost: RawAmount
    trades: int
    unpaid: RawAmount


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One way over all days."""

    method: Method
    cost: RawAmount
    trades: int
    plans: int
    mean_deviation_bps: float
    unfunded_days: int
    final_total: RawAmount
    days: tuple[SimulatedDay, ...]


def simulate(
    start: MeasuredFund, days: Sequence[FundDay], policy: PlanPolicy, method: Method, *, trigger: Bps = Bps(200)
) -> RunSummary:
    """Run one way of planning over the days."""
    fund, due, unpaid, records, plans = start, dict[int, int](), 0, [], 0
    for number, day in enumerate(days):
        fund = _begin_day(fund, day)
        due[number + SETTLEMENT_DAYS] = int(day.requests * (fund.total // WAD)) * WAD
        unpaid += due.pop(number, 0)
        cost, trades = 0, tuple[Trade, ...]()
        measured = _measured(fund, due, number, unpaid)
        if _needs_plan(measured, policy, trigger, unpaid):
            trades = tuple(WAYS[method](measured, policy))
            fund = _carry_out(fund, trades)
            cost = sum(trade.cost + policy.gas_per_trade for trade in trades)
            plans += bool(trades)
        paid = max(min(unpaid, fund.cash), 0)
        unpaid -= paid
        fund = replace(fund, cash=RawAmount(fund.cash - paid))
        after = _measured(fund, due, number, unpaid)
        deviation = _deviation(after, policy)
        records.append(
            SimulatedDay(number, after.total, after.tier_values, deviation, RawAmount(cost), len(trades), RawAmount(unpaid))
        )
    return RunSummary(
        method=method,
        cost=RawAmount(sum(record.cost for record in records)),
        trades=sum(record.trades for record in records),
        plans=plans,
        mean_deviation_bps=sum(record.deviation for record in records) / max(len(records), 1),
        unfunded_days=sum(record.unpaid > 0 for record in records),
        final_total=records[-1].total if records else start.total,
        days=tuple(records),
    )


def _begin_day(fund: MeasuredFund, day: FundDay) -> MeasuredFund:
    """Assets grow, deposits arrive, and sales of earlier days settle."""
    grown = tuple(
        replace(asset, value=RawAmount(asset.value + asset.value * round(growth * 10**9) // 10**9))
        for asset, growth in zip(fund.assets, day.growth, strict=True)
    )
    settled = sum(amount for left, amount in fund.arriving if left <= 1)
    arriving = tuple((left - 1, amount) for left, amount in fund.arriving if left > 1)
    deposits = int(day.deposits * (fund.total // WAD)) * WAD
    return replace(fund, cash=RawAmount(fund.cash + settled + deposits), assets=grown, arriving=arriving)


def _measured(fund: MeasuredFund, due: dict[int, int], today: int, unpaid: int) -> MeasuredFund:
    outflows = [OutflowDay(0, due=RawAmount(unpaid))] if unpaid else []
    outflows += [OutflowDay(day - today, due=RawAmount(amount)) for day, amount in sorted(due.items()) if amount]
    reserved = sum(outflow.due for outflow in outflows if outflow.day <= _RESERVE_DAYS)
    return replace(fund, outflows=tuple(outflows), reserved=RawAmount(reserved))


def _needs_plan(fund: MeasuredFund, policy: PlanPolicy, trigger: Bps, unpaid: int) -> bool:
    soon = sum(outflow.due for outflow in fund.outflows if outflow.day <= 2)
    return bool(unpaid > fund.cash or soon > fund.cash or _deviation(fund, policy) > trigger)


def _deviation(fund: MeasuredFund, policy: PlanPolicy) -> Bps:
    if not fund.total:
        return Bps(0)
    off = (abs(fund.tier_values[tier] * BPS_ONE // fund.total - target) for tier, target in policy.targets.items())
    return Bps(max(off))


def _carry_out(fund: MeasuredFund, trades: Sequence[Trade]) -> MeasuredFund:
    cash, arriving = int(fund.cash), list(fund.arriving)
    change: dict[bytes, int] = {}
    for trade in trades:
        sells = trade.side is Side.SELL
        change[trade.token] = change.get(trade.token, 0) + (-trade.amount if sells else trade.proceeds)
        if not sells:
            cash -= trade.amount
        elif trade.settles_in:
            arriving.append((trade.settles_in, trade.proceeds))
        else:
            cash += trade.proceeds
    assets = tuple(replace(asset, value=RawAmount(asset.value + change.get(asset.token, 0))) for asset in fund.assets)
    return replace(fund, cash=RawAmount(cash), assets=assets, arriving=tuple(arriving))


def example_fund() -> MeasuredFund:
    """Return a fund of 50 million USDT on target: four money-market funds and eight high-yield assets of unlike cost."""
    total, policy = 50_000_000 * WAD, PlanPolicy()
    terms = [(Tier.L2, cost, 0) for cost in (2, 4, 8, 15)]
    terms += [(Tier.L3, cost, days) for cost, days in ((8, 1), (12, 1), (20, 2), (25, 2), (35, 3), (40, 3), (60, 5), (80, 5))]
    counts = {tier: sum(other is tier for other, _, _ in terms) for tier in Tier}
    assets = tuple(
        TradableAsset(
            token=Address(number.to_bytes(20, "big")),
            tier=tier,
            value=RawAmount(total * policy.targets[tier] // BPS_ONE // counts[tier]),
            selling=(curve := _example_curve(cost)),
            buying=curve,
            days_to_cash=days,
            smallest_purchase=RawAmount(1_000 * WAD),
        )
        for number, (tier, cost, days) in enumerate(terms, start=1)
    )
    return MeasuredFund(RawAmount(total - sum(asset.value for asset in assets)), assets)


def _example_curve(cost: int) -> CostCurve:
    """The first 250 000 USDT of a day at the given cost, the next 750 000 at twice it, more at four times it."""
    first, second = RawAmount(250_000 * WAD), RawAmount(1_000_000 * WAD)
    return CostCurve((CostStep(first, Bps(cost)), CostStep(second, Bps(2 * cost)), CostStep(None, Bps(4 * cost))))
