"""Step one of a plan: what each tier and liquidity bucket trades on which day, of which only today is carried out.

A linear programme over bucket × day. Today's trades are the same in every case; later ones may differ between the expected
outflow, whose costs count, and the stressed one, which must be paid too. So a payout of day 5 is met by what is cheap to sell
in time for it, not by what could be sold at once.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount
from paimon.domain.rebalance.linear_model import Columns, LinearModel, Term, Values
from paimon.domain.rebalance.measured_fund import CostCurve, MeasuredFund, OutflowDay, TradableAsset
from paimon.domain.rebalance.money_scale import MoneyScale
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.rebalance_plan import Side

_SHORTAGE_COST: Final = 10.0
"""Of one unit that cannot be paid in time, each period: above any cost of trading, so that what can be paid is."""
_OUT_OF_BAND_COST: Final = 0.02
"""A day, of one unit outside of a tier's band: worth any trade that a plan may make."""
_STRESSED_WEIGHT: Final = 1e-3
"""Of the stressed case's costs: enough to keep it from trading for nothing, too little to steer."""
_LANDING_SHARE: Final = 0.5
"""The schedule aims at the inner half of the landing, so that the trades of single assets have room."""
_LAST_PERIOD_DAYS: Final = 30
"""How long a deviation counts that remains at the end."""


class Bucket(NamedTuple):
    """Assets that become cash alike: of one tier, in as many days, tradable from the same day on."""

    tier: Tier
    days_to_cash: int
    sells_in: int
    buys_in: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """Today's trades by bucket and side, and what cannot be paid in time even so: expected and stressed. Raw units."""

    today: Mapping[tuple[Bucket, Side], RawAmount]
    expected_shortage: RawAmount
    stressed_shortage: RawAmount

    def traded(self, bucket: Bucket, side: Side) -> RawAmount:
        """Return what a bucket trades today."""
        return self.today.get((bucket, side), RawAmount(0))


@dataclass(frozen=True, slots=True)
class _Block:
    """The trades of one bucket, side and period: a column for each cost that trading it has."""

    bucket: Bucket
    side: Side
    period: int
    columns: Columns
    kept: Values
    """What of one unit is left after its cost, for each column."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One path of outflows: the sum paid by each period, and how much its costs count."""

    paid: tuple[float, ...]
    weight: float


def bucket_of(asset: TradableAsset) -> Bucket:
    """Return the bucket of an asset."""
    return Bucket(asset.tier, asset.days_to_cash, asset.sells_in, asset.buys_in)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What the programme is made from. `days` are the policy's, and each on which something is due."""

    fund: MeasuredFund
    policy: PlanPolicy
    scale: MoneyScale
    days: tuple[int, ...]

    @classmethod
    def of(cls, fund: MeasuredFund, policy: PlanPolicy, scale: MoneyScale) -> "_Inputs":
        due = {outflow.day for outflow in fund.outflows if outflow.due and outflow.day <= policy.days[-1]}
        return cls(fund, policy, scale, tuple(sorted({*policy.days, *due})))

    def case(self, quantile: Callable[[OutflowDay], RawAmount], weight: float) -> _Case:
        """Return a path of outflows: what is due, and further outflow at one quantile.

        What leaves between two periods must be available at the earlier one.
        """
        ends = (*(day - 1 for day in self.days[1:]), self.days[-1])
        flows = [(outflow.day, outflow.due + quantile(outflow)) for outflow in self.fund.outflows]
        paid = [self.scale.to_solver(sum(amount for day, amount in flows if day <= end)) for end in ends]
        return _Case(tuple(paid), weight)

    def length(self, period: int) -> int:
        """Return how many days a period lasts; the last one counts for a month."""
        return (*self.days, self.days[-1] + _LAST_PERIOD_DAYS)[period + 1] - self.days[period]


def schedule(fund: MeasuredFund, policy: PlanPolicy, scale: MoneyScale) -> Schedule:
    """Find the cheapest trades by bucket and day that pay what leaves the fund and bring the tiers to their targets.

    Raises:
        NoSolution: the solver gave up. There is always a solution, since every limit here has a price.
    """
    inputs = _Inputs.of(fund, policy, scale)
    model = LinearModel()
    expected, expected_shortages = _add_case(model, inputs, inputs.case(lambda day: day.expected, 1.0))
    stressed, stressed_shortages = _add_case(model, inputs, inputs.case(lambda day: day.stressed, _STRESSED_WEIGHT))
    for one, other in zip(_today(expected), _today(stressed), strict=True):
        model.row((one.columns, 1.0), (other.columns, -1.0), lower=0.0, upper=0.0)
    values = model.solve().values

    def amount(columns: Columns) -> RawAmount:
        return scale.from_solver(float(values[columns].sum()))

    return Schedule(
        today={(block.bucket, block.side): amount(block.columns) for block in _today(expected)},
        expected_shortage=amount(expected_shortages[-1:]),
        stressed_shortage=amount(stressed_shortages[-1:]),
    )


def _add_case(model: LinearModel, inputs: _Inputs, case: _Case) -> tuple[list[_Block], Columns]:
    """Add one path of outflows: trades, holdings, cash and tier values of each period. Return its trades and shortages."""
    fund, scale = inputs.fund, inputs.scale
    blocks = list(_add_trades(model, inputs, case.weight))
    _bound_holdings(model, inputs, blocks)
    shortages = model.columns([np.inf] * len(inputs.days), _SHORTAGE_COST)
    for period, day in enumerate(inputs.days):
        available = scale.to_solver(fund.cash + sum(amount for arrives, amount in fund.arriving if arrives <= day))
        model.row(*_cash_terms(blocks, period, inputs.days), (int(shortages[period]), 1.0), lower=case.paid[period] - available)
        for tier in Tier:
            _price_deviation(model, inputs, case, list(_tier_terms(blocks, tier, period)), tier, period)
    return blocks, shortages


def _add_trades(model: LinearModel, inputs: _Inputs, weight: float) -> Iterator[_Block]:
    members: dict[Bucket, list[TradableAsset]] = defaultdict(list)
    for asset in inputs.fund.assets:
        members[bucket_of(asset)].append(asset)
    for bucket, assets in members.items():
        offers = {
            Side.SELL: (bucket.sells_in, _merged((asset.selling, asset.value) for asset in assets)),
            Side.BUY: (bucket.buys_in, _merged((asset.buying, inputs.fund.total) for asset in assets)),
        }
        for side, (opens_in, widths) in offers.items():
            rates = np.array([cost / BPS_ONE for cost in widths])
            for period, day in enumerate(inputs.days):
                upper = [inputs.scale.to_solver(width) if day >= opens_in else 0.0 for width in widths.values()]
                columns = model.columns(upper, (rates * weight).tolist())
                yield _Block(bucket, side, period, columns, 1.0 - rates)


def _bound_holdings(model: LinearModel, inputs: _Inputs, blocks: list[_Block]) -> None:
    """Nothing is sold that is not held; what was bought in an earlier period may be sold again.

    A cheap step is there each day for as much as its own assets hold, not for what others of the bucket hold.
    """
    scale = inputs.scale
    for bucket in dict.fromkeys(block.bucket for block in blocks):
        members = [asset for asset in inputs.fund.assets if bucket_of(asset) == bucket]
        sales = [block for block in blocks if block.bucket == bucket and block.side is Side.SELL]
        purchases = [block for block in blocks if block.bucket == bucket and block.side is Side.BUY]
        for period in range(len(inputs.days)):
            sold = [(block.columns, 1.0) for block in sales if block.period <= period]
            bought = [(block.columns, -block.kept) for block in purchases if block.period < period]
            model.row(*sold, *bought, upper=scale.to_solver(sum(asset.value for asset in members)))
        for place, cost in enumerate(_merged((asset.selling, asset.value) for asset in members)):
            held = sum(asset.value for asset in members if any(step.cost == cost for step in asset.selling.steps))
            model.row(*((int(block.columns[place]), 1.0) for block in sales), upper=scale.to_solver(held))


def _cash_terms(blocks: list[_Block], period: int, days: tuple[int, ...]) -> Iterator[Term]:
    """What trades up to this period have done to cash: sales that have settled, less purchases."""
    for block in blocks:
        if block.side is Side.SELL and days[block.period] + block.bucket.days_to_cash <= days[period]:
            yield block.columns, block.kept
        if block.side is Side.BUY and block.period <= period:
            yield block.columns, -1.0


def _tier_terms(blocks: list[_Block], tier: Tier, period: int) -> Iterator[Term]:
    """What trades up to this period have done to a tier's value. Cash, also that under way, belongs to L1."""
    for block in blocks:
        if block.period > period:
            continue
        sells = block.side is Side.SELL
        if block.bucket.tier is tier:
            yield block.columns, -1.0 if sells else block.kept
        if tier is Tier.L1:
            yield block.columns, block.kept if sells else -1.0


def _price_deviation(model: LinearModel, inputs: _Inputs, case: _Case, terms: list[Term], tier: Tier, period: int) -> None:
    """Being off target costs for as long as it lasts; being outside of the band costs much more."""
    fund, policy, scale = inputs.fund, inputs.policy, inputs.scale
    # What is reserved is in neither figure, so that paying it changes neither.
    beyond_reserve = max(case.paid[period] - scale.to_solver(fund.reserved), 0.0)
    total = max(scale.to_solver(fund.total) - beyond_reserve, 0.0)
    value = scale.to_solver(fund.tier_values[tier]) - (beyond_reserve if tier is Tier.L1 else 0.0)
    target, landing, band = policy.targets[tier], _LANDING_SHARE * policy.landing, policy.band(tier)
    for least, most, cost_per_day in (
        (target - landing, target + landing, policy.deviation_cost_per_day / BPS_ONE),
        (band.minimum, band.maximum, _OUT_OF_BAND_COST),
    ):
        below, above = model.columns([np.inf, np.inf], cost_per_day * inputs.length(period) * case.weight)
        model.row(*terms, (int(below), 1.0), lower=least / BPS_ONE * total - value)
        model.row(*terms, (int(above), -1.0), upper=most / BPS_ONE * total - value)


def _merged(curves: Iterable[tuple[CostCurve, RawAmount]]) -> dict[Bps, int]:
    """Merge curves into one: the width that all of them offer together at each cost, the cheapest first."""
    widths: dict[Bps, int] = defaultdict(int)
    for curve, limit in curves:
        for width, cost in curve.widths(limit):
            widths[cost] += width
    return dict(sorted(widths.items()))


def _today(blocks: Iterable[_Block]) -> list[_Block]:
    return [block for block in blocks if block.period == 0]
