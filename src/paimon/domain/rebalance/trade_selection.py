"""Step two of a plan: which assets carry out what the schedule wants of today, at the least cost within every limit.

A mixed-integer programme of one period. A binary for each possible trade carries its gas and its least amount; the total
after costs is a column of its own, so that every limit by share is a row of a few entries. Where not all limits can be kept,
they give way in the order of their rank, and a smallest set that conflicts is named.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np

from paimon.domain.asset.profile import UNKNOWN_COUNTERPARTY
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import BPS_ONE, RawAmount
from paimon.domain.rebalance.applied_trades import due_today
from paimon.domain.rebalance.linear_model import LinearModel, NoSolution, Solution, Term
from paimon.domain.rebalance.measured_fund import MeasuredFund, TradableAsset
from paimon.domain.rebalance.money_scale import MoneyScale
from paimon.domain.rebalance.plan_policy import LimitGroup, PlanPolicy
from paimon.domain.rebalance.rebalance_plan import Side, Trade
from paimon.domain.rebalance.schedule import Bucket, Schedule, bucket_of

_SCHEDULE_ROOM: Final = 0.25
"""Of the landing, for all buckets together: how far a tier may end from where the schedule wants it."""
_SPARE_TRADES: Final = 4
"""Of each bucket and side: how many of the next cheapest assets may trade beside those of the relaxation."""
_GAP_MAX: Final = 1e-3
_TIE_BREAK: Final = 1e-9
"""Of one unit, times the asset's place in the list: among equal costs, the first assets trade."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen trades, in the order sales, purchases; and which limits could not be kept together."""

    trades: tuple[Trade, ...]
    conflict: tuple[LimitGroup, ...]
    gap: float
    """Of the cost above the proven bound, as a share of the bound."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """One possible trade: a column for each cost, and the binary that says whether it is made."""

    asset: TradableAsset
    side: Side
    columns: np.ndarray
    rates: np.ndarray
    made: int

    @property
    def amount(self) -> Term:
        return self.columns, 1.0

    @property
    def kept(self) -> Term:
        return self.columns, 1.0 - self.rates

    def changes(self, *, buying: bool) -> Term:
        """Return what this trade does to the asset's value."""
        return (self.columns, 1.0 - self.rates) if buying else (self.columns, -1.0)


def select_trades(fund: MeasuredFund, policy: PlanPolicy, scale: MoneyScale, wanted: Schedule) -> Selection:
    """Choose today's trades.

    Raises:
        NoSolution: no trades are possible at all, or the solver gave up.
    """
    model = LinearModel()
    choices = _add_choices(model, fund, policy, scale, wanted)
    _add_limits(model, fund, policy, scale, choices, wanted)
    conflict: tuple[LimitGroup, ...] = ()
    try:
        solution, bound = _solve(model, choices)
    except NoSolution:
        conflict = tuple(LimitGroup(group) for group in model.smallest_conflict(tuple(LimitGroup)))
        solution = model.solve_in_order(tuple(LimitGroup))
        bound = solution.bound
    trades = [trade for choice in choices if (trade := _trade(choice, solution, scale)) is not None]
    gap = (solution.cost - bound) / max(abs(bound), 1e-12)
    return Selection(tuple(sorted(trades, key=lambda trade: trade.side is Side.BUY)), conflict, max(gap, 0.0))


def _solve(model: LinearModel, choices: list[_Choice]) -> tuple[Solution, float]:
    """Return the best trades and a proven bound below their cost.

    Most assets trade neither in the relaxation nor in the best plan. So only the assets that the relaxation trades, and a few
    of the next cheapest, are open at first; all of them, if that leaves too large a gap.
    """
    relaxed = model.relaxation()
    idle = [choice for choice in choices if relaxed.values[choice.columns].sum() < _TIE_BREAK]
    spare: dict[tuple[Bucket, Side], int] = defaultdict(int)
    closed = []
    for choice in sorted(idle, key=lambda choice: float(choice.rates[0])):
        spare[bucket_of(choice.asset), choice.side] += 1
        if spare[bucket_of(choice.asset), choice.side] > _SPARE_TRADES:
            closed.append(choice.made)
    if closed:
        with suppress(NoSolution):
            solution = model.solve(closed=closed)
            if solution.cost - relaxed.cost <= _GAP_MAX * abs(relaxed.cost):
                return solution, relaxed.cost
    solution = model.solve()
    return solution, max(solution.bound, relaxed.cost)


def _add_choices(
    model: LinearModel, fund: MeasuredFund, policy: PlanPolicy, scale: MoneyScale, wanted: Schedule
) -> list[_Choice]:
    gas = scale.to_solver(policy.gas_per_trade)
    choices = []
    swaps = _is_concentrated(fund, policy)
    for place, asset in enumerate(fund.assets):
        for side in _possible_sides(asset, wanted, swaps=swaps):
            limit = asset.value if side is Side.SELL else fund.total
            widths = (asset.selling if side is Side.SELL else asset.buying).widths(limit)
            rates = np.array([cost / BPS_ONE for _, cost in widths])
            columns = model.columns([scale.to_solver(width) for width, _ in widths], (rates + place * _TIE_BREAK).tolist())
            made = model.column(upper=1.0, cost=gas + _TIE_BREAK, integer=True)
            # A row for each step, not one for their sum: the relaxation is then close, and few nodes are searched.
            for column, (width, _) in zip(columns.tolist(), widths, strict=True):
                model.row((column, 1.0), (made, -scale.to_solver(width)), upper=0.0)
            if side is Side.BUY and asset.smallest_purchase:
                # One cent more, since amounts are rounded down afterwards.
                least = scale.to_solver(asset.smallest_purchase + scale.cent)
                model.row((columns, 1.0), (made, -least), lower=0.0)
            choices.append(_Choice(asset, side, columns, rates, made))
    return choices


def _possible_sides(asset: TradableAsset, wanted: Schedule, *, swaps: bool) -> Iterator[Side]:
    """An asset is sold where its bucket sells and bought where its bucket buys; where a cap is exceeded, any asset is both."""
    bucket = bucket_of(asset)
    if asset.sells_today and (swaps or wanted.traded(bucket, Side.SELL)):
        yield Side.SELL
    if asset.buys_today and (swaps or wanted.traded(bucket, Side.BUY)):
        yield Side.BUY


def _is_concentrated(fund: MeasuredFund, policy: PlanPolicy) -> bool:
    exposures = sorted((asset.exposure for asset in fund.assets), reverse=True)
    counterparties: dict[str, int] = defaultdict(int)
    for asset in fund.assets:
        counterparties[asset.counterparty or UNKNOWN_COUNTERPARTY] += asset.exposure
    return any(
        value * BPS_ONE > cap * fund.total
        for value, cap in (
            (max(exposures, default=0), policy.asset_cap),
            (sum(exposures[:3]), policy.top3_cap),
            (max(counterparties.values(), default=0), policy.counterparty_cap),
        )
    )


def _add_limits(
    model: LinearModel,
    fund: MeasuredFund,
    policy: PlanPolicy,
    scale: MoneyScale,
    choices: list[_Choice],
    wanted: Schedule,
) -> None:
    cash, reserved = scale.to_solver(fund.cash), scale.to_solver(fund.reserved)
    # Rounding down to cents may move each side of a limit by a cent for each trade.
    room = scale.to_solver((len(choices) + 2) * scale.cent)
    total = model.column()
    model.row(
        (total, 1.0),
        *((choice.columns, choice.rates) for choice in choices),
        lower=(all_ := scale.to_solver(fund.total)),
        upper=all_,
    )
    cash_terms = [
        choice.kept if choice.side is Side.SELL else (choice.columns, -1.0)
        for choice in choices
        if choice.side is Side.BUY or choice.asset.days_to_cash == 0
    ]
    model.row(*cash_terms, lower=min(room, cash) - cash)
    model.row(*cash_terms, lower=scale.to_solver(due_today(fund)) + room - cash, group=LimitGroup.PAYOUTS)
    for tier in Tier:
        value = scale.to_solver(fund.tier_values[tier])
        terms = list(_tier_terms(choices, tier))
        own, contract = policy.bands[tier], policy.contract_bands[tier]
        _keep_share(model, terms, total, value, own.minimum, own.maximum, room, LimitGroup.BANDS)
        # The contract knows no reserve: its shares are of everything.
        extra = reserved if tier is Tier.L1 else 0.0
        least, most = contract.minimum / BPS_ONE, contract.maximum / BPS_ONE
        group = LimitGroup.CONTRACT_BANDS
        model.row(*terms, (total, -least), lower=least * reserved - value - extra + room, group=group)
        model.row(*terms, (total, -most), upper=most * reserved - value - extra - room, group=group)
    _add_caps(model, fund, policy, scale, choices, total, room)
    _follow_schedule(model, fund, policy, scale, choices, wanted)


def _keep_share(
    model: LinearModel, terms: list[Term], total: int, value: float, least: int, most: int, room: float, group: LimitGroup
) -> None:
    model.row(*terms, (total, -least / BPS_ONE), lower=room - value, group=group)
    model.row(*terms, (total, -most / BPS_ONE), upper=-room - value, group=group)


def _tier_terms(choices: list[_Choice], tier: Tier) -> Iterator[Term]:
    for choice in choices:
        sells = choice.side is Side.SELL
        if choice.asset.tier is tier:
            yield choice.changes(buying=not sells)
        if tier is Tier.L1:
            yield choice.kept if sells else (choice.columns, -1.0)


def _add_caps(
    model: LinearModel,
    fund: MeasuredFund,
    policy: PlanPolicy,
    scale: MoneyScale,
    choices: list[_Choice],
    total: int,
    room: float,
) -> None:
    """No asset, no three assets and no counterparty above its share.

    The three largest together are at most 3t + Σ max(exposure − t, 0) for every t, with equality for the third largest: so one
    column t and one excess for each asset express them.
    """
    changes: Mapping[bytes, list[Term]] = defaultdict(list)
    for choice in choices:
        changes[choice.asset.token].append(choice.changes(buying=choice.side is Side.BUY))
    threshold = model.column()
    excesses = model.columns([np.inf] * len(fund.assets))
    by_counterparty: dict[str, tuple[list[Term], float]] = {}
    for excess, asset in zip(excesses.tolist(), fund.assets, strict=True):
        terms, exposure = changes[asset.token], scale.to_solver(asset.exposure)
        if terms or exposure * BPS_ONE > policy.asset_cap * scale.to_solver(fund.total) * 0.99:
            cap = -policy.asset_cap / BPS_ONE
            model.row(*terms, (total, cap), upper=-exposure - room, group=LimitGroup.ASSET_CAP)
        model.row(*terms, (threshold, -1.0), (excess, -1.0), upper=-exposure)
        name = asset.counterparty or UNKNOWN_COUNTERPARTY
        others, sum_ = by_counterparty.get(name, ([], 0.0))
        by_counterparty[name] = ([*others, *terms], sum_ + exposure)
    top3 = -policy.top3_cap / BPS_ONE
    model.row((threshold, 3.0), (excesses, 1.0), (total, top3), upper=-room, group=LimitGroup.TOP3_CAP)
    if policy.counterparty_cap < BPS_ONE:
        for terms, exposure in by_counterparty.values():
            cap = -policy.counterparty_cap / BPS_ONE
            model.row(*terms, (total, cap), upper=-exposure - room, group=LimitGroup.COUNTERPARTY_CAP)


def _follow_schedule(
    model: LinearModel, fund: MeasuredFund, policy: PlanPolicy, scale: MoneyScale, choices: list[_Choice], wanted: Schedule
) -> None:
    """What a bucket sells and buys together stays near what the schedule wants of it."""
    by_bucket: dict[Bucket, list[_Choice]] = defaultdict(list)
    for choice in choices:
        by_bucket[bucket_of(choice.asset)].append(choice)
    room = _SCHEDULE_ROOM * policy.landing / BPS_ONE * scale.to_solver(fund.total) / max(len(by_bucket), 1)
    for bucket, members in by_bucket.items():
        net = scale.to_solver(wanted.traded(bucket, Side.SELL)) - scale.to_solver(wanted.traded(bucket, Side.BUY))
        terms: list[Term] = [(choice.columns, 1.0 if choice.side is Side.SELL else -1.0) for choice in members]
        model.row(*terms, lower=net - room, upper=net + room, group=LimitGroup.SCHEDULE)


def _trade(choice: _Choice, solution: Solution, scale: MoneyScale) -> Trade | None:
    if solution.values[choice.made] < 0.5:
        return None
    asset, sells = choice.asset, choice.side is Side.SELL
    amount = scale.from_solver(float(solution.values[choice.columns].sum()))
    if amount == 0:
        return None
    # The last cents of a holding would stay behind as dust.
    if sells and asset.value - amount < scale.cent:
        amount = RawAmount(min(asset.value, asset.selling.largest_trade(asset.value)))
    curve = asset.selling if sells else asset.buying
    return Trade(choice.side, asset.token, asset.tier, amount, curve.cost_of(amount), asset.days_to_cash if sells else 0)
