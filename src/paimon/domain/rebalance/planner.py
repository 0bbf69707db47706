"""Make a plan: the trades of today that bring the fund to its targets at the least cost, each with its reason.

    measure → schedule by bucket and day → trades of single assets → exact check → worth it? → reasons

A pure function of its inputs: the same fund and policy give the same plan in every process.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount, Rounding, portion
from paimon.domain.rebalance.applied_trades import (
    ImpossibleTrade,
    broken_limits,
    deviation_beyond_landing,
    fund_after,
)
from paimon.domain.rebalance.linear_model import SOLVER, NoSolution
from paimon.domain.rebalance.measured_fund import MeasuredFund, TradableAsset
from paimon.domain.rebalance.money_scale import MoneyScale
from paimon.domain.rebalance.plan_policy import LimitGroup, PlanPolicy
from paimon.domain.rebalance.rebalance_plan import (
    AskedTrade,
    BrokenLimit,
    ExplainedTrade,
    FundAfter,
    Method,
    NoPlan,
    RebalancePlan,
    Side,
    Trade,
    TradeReason,
)
from paimon.domain.rebalance.schedule import schedule
from paimon.domain.rebalance.simple_plans import greedy_trades, split_pro_rata
from paimon.domain.rebalance.trade_selection import select_trades

_BENEFIT_DAYS: Final = 30
"""A deviation that is not ended, and a shortage that is not averted, counts for this long."""


def make_plan(fund: MeasuredFund, policy: PlanPolicy, *, asset_decimals: int = 18) -> RebalancePlan | NoPlan:
    """Plan today's trades, or say why none are worth it."""
    tradable = _without_costly_trades(fund, policy)
    before = fund_after(tradable, ())
    deviation = deviation_beyond_landing(policy, before.tier_values, before.total)
    broken_before = broken_limits(tradable, policy, before)
    if not deviation and not broken_before and fund.cash >= _leaving(fund, policy):
        return NoPlan("every tier is on target, and every payout has its cash", Bps(0))
    scale = MoneyScale.of_fund(fund.total, asset_decimals)
    try:
        wanted = schedule(tradable, policy, scale)
        selection = select_trades(tradable, policy, scale, wanted)
        plan = _explain(tradable, policy, Method.OPTIMISED, selection.trades, selection.conflict, SOLVER)
    except (NoSolution, ImpossibleTrade) as failure:
        plan = _greedy(tradable, policy, str(failure))
    return _worth_it(tradable, policy, plan, before, broken_before)


def make_greedy_plan(fund: MeasuredFund, policy: PlanPolicy, why: str) -> RebalancePlan | NoPlan:
    """Plan without the solver, after it failed or did not answer."""
    tradable = _without_costly_trades(fund, policy)
    before = fund_after(tradable, ())
    broken_before = broken_limits(tradable, policy, before)
    return _worth_it(tradable, policy, _greedy(tradable, policy, why), before, broken_before)


def make_reversal(fund: MeasuredFund, policy: PlanPolicy, reversal: tuple[AskedTrade, ...]) -> RebalancePlan | NoPlan:
    """Plan the trades that undo an earlier plan: all of them, or none where one cannot be made today.

    Whether they are worth it is for the person who asks; the limits that they break are named.
    """
    tradable = _without_costly_trades(fund, policy)
    try:
        trades = tuple(_asked_trade(tradable, asked) for asked in reversal)
        return _explain(tradable, policy, Method.REVERSED, trades, (), "none: the trades of an earlier plan, reversed")
    except ImpossibleTrade as impossible:
        before = fund_after(tradable, ())
        return NoPlan(str(impossible), _ratio(deviation_beyond_landing(policy, before.tier_values, before.total), fund))


def _asked_trade(fund: MeasuredFund, asked: AskedTrade) -> Trade:
    """Raises ImpossibleTrade."""
    asset = next((asset for asset in fund.assets if asset.token == asked.token), None)
    sells = asked.side is Side.SELL
    curve = None if asset is None else asset.selling if sells else asset.buying
    if asset is None or curve is None or curve.largest_trade(asked.amount) < asked.amount:
        raise ImpossibleTrade(f"{asked.side} {asked.amount} of {asked.token.hex()} is not possible today")
    return Trade(
        asked.side,
        asset.token,
        asset.tier,
        asked.amount,
        curve.cost_of(asked.amount),
        settles_in=asset.days_to_cash if sells else 0,
    )


def _greedy(fund: MeasuredFund, policy: PlanPolicy, why: str) -> RebalancePlan:
    return _explain(fund, policy, Method.GREEDY, greedy_trades(fund, policy), (), f"none: {why}")


def _worth_it(
    fund: MeasuredFund, policy: PlanPolicy, plan: RebalancePlan, before: FundAfter, broken_before: tuple[BrokenLimit, ...]
) -> RebalancePlan | NoPlan:
    """Refuse a plan that is too small or whose gas is too dear, unless a limit or a payout that is due asks for it.

    What no one has asked for yet, as the forecast's requests, makes a plan worth more and excuses none.
    """
    deviation = deviation_beyond_landing(policy, before.tier_values, before.total)
    if not plan.trades:
        return NoPlan("no trade of today is worth what it costs", _ratio(deviation, fund))
    if _by_rank(plan.broken) < _by_rank(broken_before) or _due(fund, policy) > fund.cash:
        return plan
    if plan.amount < policy.smallest_plan:
        return NoPlan(
            f"the plan moves {plan.amount}, less than the smallest of {policy.smallest_plan}", _ratio(deviation, fund)
        )
    if plan.gas * BPS_ONE > policy.gas_share_max * plan.benefit:
        return NoPlan(f"gas of {plan.gas} is above {policy.gas_share_max} bps of the benefit", _ratio(deviation, fund))
    return plan


def _by_rank(broken: tuple[BrokenLimit, ...]) -> tuple[int, ...]:
    """Return by how much each group is broken, the most important first: less is better."""
    return tuple(sum(limit.amount for limit in broken if limit.group is group) for group in LimitGroup)


def _explain(
    fund: MeasuredFund,
    policy: PlanPolicy,
    method: Method,
    trades: tuple[Trade, ...],
    conflict: tuple[LimitGroup, ...],
    solver: str,
) -> RebalancePlan:
    """Check the trades exactly and say what they are for.

    Raises:
        ImpossibleTrade: a trade cannot be made.
    """
    after = fund_after(fund, trades)
    if after.cash < min(fund.cash, 0):
        raise ImpossibleTrade(f"the purchases cost {-after.cash} more than there is")
    before = fund_after(fund, ())
    ended = deviation_beyond_landing(policy, before.tier_values, before.total) - deviation_beyond_landing(
        policy, after.tier_values, after.total
    )
    raised = sum(
        trade.proceeds if trade.side is Side.SELL else -trade.amount for trade in trades if trade.settles_in <= policy.days[-1]
    )
    averted = min(max(_leaving(fund, policy) - fund.cash, 0), max(raised, 0))
    grown = after.tier_values[Tier.L3] - before.tier_values[Tier.L3]
    fee = fund.performance_fee_at(after.tier_values[Tier.L3]) - fund.performance_fee_at(before.tier_values[Tier.L3])
    return RebalancePlan(
        method=method,
        trades=tuple(_reasons(fund, policy, trades, is_reversal=method is Method.REVERSED)),
        after=after,
        cost=RawAmount(sum(trade.cost for trade in trades)),
        gas=RawAmount(policy.gas_per_trade * len(trades)),
        benefit=RawAmount((max(ended, 0) + averted) * policy.deviation_cost_per_day * _BENEFIT_DAYS // BPS_ONE),
        broken=broken_limits(fund, policy, after),
        conflict=conflict,
        performance_fee=RawAmount(max(fee, 0)),
        high_water_mark=RawAmount(fund.high_water_mark + grown) if fee > 0 else None,
        solver=solver,
    )


def _reasons(
    fund: MeasuredFund, policy: PlanPolicy, trades: tuple[Trade, ...], *, is_reversal: bool
) -> Iterable[ExplainedTrade]:
    assets = {asset.token: asset for asset in fund.assets}
    payout = _leaving(fund, policy) > fund.cash
    pro_rata = _pro_rata_costs(fund, trades)
    for trade in trades:
        asset = assets[trade.token]
        saved = pro_rata[trade.tier, trade.side] * trade.amount // _traded(trades, trade) - trade.cost
        yield ExplainedTrade(
            trade=trade,
            reason=TradeReason.REVERSAL if is_reversal else _reason(fund, policy, asset, trade, payout=payout),
            saved=saved,
            slippage_warning=trade.cost * BPS_ONE > policy.slippage_warning * trade.amount,
        )


def _reason(fund: MeasuredFund, policy: PlanPolicy, asset: TradableAsset, trade: Trade, *, payout: bool) -> TradeReason:
    sells = trade.side is Side.SELL
    off = fund.tier_values[trade.tier] * BPS_ONE - policy.targets[trade.tier] * fund.total
    if sells and asset.exposure * BPS_ONE > policy.asset_cap * fund.total:
        return TradeReason.CONCENTRATION
    if sells and off > 0:
        return TradeReason.TIER_ABOVE_TARGET
    if sells and payout:
        return TradeReason.PAYOUT
    if not sells and off < 0:
        return TradeReason.TIER_BELOW_TARGET
    return TradeReason.WITHIN_TIER


def _pro_rata_costs(fund: MeasuredFund, trades: tuple[Trade, ...]) -> dict[tuple[Tier, Side], int]:
    """Return what the trades of each tier and side would cost together if they were made pro rata."""
    amounts: dict[tuple[Tier, Side], int] = defaultdict(int)
    for trade in trades:
        amounts[trade.tier, trade.side] += trade.amount
    costs: dict[tuple[Tier, Side], int] = {}
    for (tier, side), amount in amounts.items():
        able = [a for a in fund.assets if a.tier is tier and (a.sells_today if side is Side.SELL else a.buys_today)]
        costs[tier, side] = sum(
            (asset.selling if side is Side.SELL else asset.buying).cost_of(part)
            for asset, part in split_pro_rata(able, side, RawAmount(amount))
        )
    return costs


def _traded(trades: tuple[Trade, ...], like: Trade) -> int:
    return sum(trade.amount for trade in trades if (trade.tier, trade.side) == (like.tier, like.side))


def _without_costly_trades(fund: MeasuredFund, policy: PlanPolicy) -> MeasuredFund:
    """Return the fund without the trades whose slippage blocks them."""
    most = policy.slippage_max
    return replace(
        fund,
        assets=tuple(
            replace(asset, selling=asset.selling.below(most), buying=asset.buying.below(most)) for asset in fund.assets
        ),
    )


def _due(fund: MeasuredFund, policy: PlanPolicy) -> RawAmount:
    """Return what is confirmed and due within the days of the schedule."""
    return RawAmount(sum(outflow.due for outflow in fund.outflows if outflow.day <= policy.days[-1]))


def _leaving(fund: MeasuredFund, policy: PlanPolicy) -> RawAmount:
    """Return what leaves the fund within the days of the schedule, in the worse of the expected and the stressed case."""
    within = [outflow for outflow in fund.outflows if outflow.day <= policy.days[-1]]
    further = max(sum(outflow.expected for outflow in within), sum(outflow.stressed for outflow in within))
    return RawAmount(sum(outflow.due for outflow in within) + further)


def _ratio(deviation: int, fund: MeasuredFund) -> Bps:
    return Bps(portion(RawAmount(deviation), BPS_ONE, rounding=Rounding.UP) * BPS_ONE // fund.total if fund.total else 0)
