"""Plans without a solver: pro rata, which every saving is compared with, and the greedy one that stands in for the solver.

Both move the same amounts by tier: the sales first, then the purchases from the cash that is available.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import BPS_ONE, RawAmount, Rounding, divide, portion
from paimon.domain.rebalance.applied_trades import due_today
from paimon.domain.rebalance.measured_fund import CostCurve, MeasuredFund, TradableAsset
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.rebalance_plan import Side, Trade

Split = Callable[[Sequence[TradableAsset], Side, RawAmount], Iterable[tuple[TradableAsset, RawAmount]]]


def greedy_trades(fund: MeasuredFund, policy: PlanPolicy) -> tuple[Trade, ...]:
    """Trade the cheapest assets of each tier first, and buy none above its cap. Ignores the schedule of later days."""

    def split(assets: Sequence[TradableAsset], side: Side, amount: RawAmount) -> Iterator[tuple[TradableAsset, RawAmount]]:
        left = amount
        cap = portion(fund.total, policy.asset_cap, rounding=Rounding.DOWN)
        for asset in sorted(assets, key=lambda asset: (_first_cost(asset, side), asset.token)):
            most = asset.value if side is Side.SELL else RawAmount(max(cap - asset.exposure, 0))
            taken = min(left, _curve(asset, side).largest_trade(most))
            if taken:
                yield asset, RawAmount(taken)
                left = RawAmount(left - taken)

    return _trades(fund, policy, split)


def pro_rata_trades(fund: MeasuredFund, policy: PlanPolicy) -> tuple[Trade, ...]:
    """Trade each asset of a tier in proportion to what is held of it; what one cannot take, the others do."""
    return _trades(fund, policy, split_pro_rata)


def split_pro_rata(assets: Sequence[TradableAsset], side: Side, amount: RawAmount) -> Iterator[tuple[TradableAsset, RawAmount]]:
    """Split an amount over assets by their values, each within what it can trade. Equal parts where nothing is held."""
    room = {asset.token: _curve(asset, side).largest_trade(asset.value if side is Side.SELL else amount) for asset in assets}
    weights = {asset.token: asset.exposure or 1 for asset in assets}
    taken = dict.fromkeys(room, 0)
    left = int(amount)
    # Each round fills at least one asset or places everything.
    for _ in assets:
        open_tokens = [token for token in room if taken[token] < room[token]]
        weight = sum(weights[token] for token in open_tokens)
        if not open_tokens or left == 0:
            break
        placed = 0
        for token in open_tokens:
            part = min(divide(left * weights[token], weight, rounding=Rounding.UP), room[token] - taken[token], left - placed)
            taken[token] += part
            placed += part
        left -= placed
    for asset in assets:
        if taken[asset.token]:
            yield asset, RawAmount(taken[asset.token])


def _trades(fund: MeasuredFund, policy: PlanPolicy, split: Split) -> tuple[Trade, ...]:
    """Bring each tier to its target: sell what is above, and buy with the cash that is free today."""
    gaps = {tier: portion(fund.total, policy.targets[tier], rounding=Rounding.DOWN) - fund.tier_values[tier] for tier in Tier}
    trades = []
    for tier in (Tier.L2, Tier.L3):
        if gaps[tier] < 0:
            sellable = [asset for asset in fund.assets if asset.tier is tier and asset.sells_today]
            trades += [_trade(asset, Side.SELL, amount) for asset, amount in split(sellable, Side.SELL, RawAmount(-gaps[tier]))]
    cash = fund.cash + sum(trade.proceeds for trade in trades if trade.settles_in == 0)
    if (missing := due_today(fund) - cash) > 0:
        trades += _sales_for_payouts(fund, split, RawAmount(missing), {trade.token for trade in trades})
        return tuple(trades)
    reserve = portion(fund.total, policy.targets[Tier.L1], rounding=Rounding.DOWN) + fund.reserved
    l1_assets = sum(asset.exposure for asset in fund.assets if asset.tier is Tier.L1)
    free = max(min(cash - due_today(fund), cash + l1_assets - reserve), 0)
    wanted = {tier: max(gap, 0) for tier, gap in gaps.items() if tier is not Tier.L1}
    for tier, gap in wanted.items():
        amount = min(gap, divide(free * gap, sum(wanted.values()), rounding=Rounding.DOWN)) if gap else 0
        buyable = [asset for asset in fund.assets if asset.tier is tier and asset.buys_today]
        for asset, part in split(buyable, Side.BUY, RawAmount(amount)):
            if part >= max(asset.smallest_purchase, 1):
                trades.append(_trade(asset, Side.BUY, part))
    return tuple(trades)


def _sales_for_payouts(fund: MeasuredFund, split: Split, missing: RawAmount, sold: set[bytes]) -> Iterator[Trade]:
    """Sell what is cash today, of the most liquid tier first, until the payouts are covered."""
    left = int(missing)
    for tier in Tier:
        ready = [
            asset
            for asset in fund.assets
            if asset.tier is tier and asset.sells_today and asset.days_to_cash == 0 and asset.token not in sold
        ]
        # Sold with its highest cost on top, so that the proceeds suffice.
        cost = max((step.cost for asset in ready for step in asset.selling.steps), default=0)
        if left <= 0 or not ready or cost >= BPS_ONE:
            continue
        wanted = RawAmount(divide(left * BPS_ONE, BPS_ONE - cost, rounding=Rounding.UP))
        for asset, amount in split(ready, Side.SELL, wanted):
            trade = _trade(asset, Side.SELL, amount)
            left -= trade.proceeds
            yield trade


def _trade(asset: TradableAsset, side: Side, amount: RawAmount) -> Trade:
    settles_in = asset.days_to_cash if side is Side.SELL else 0
    return Trade(side, asset.token, asset.tier, amount, _curve(asset, side).cost_of(amount), settles_in)


def _curve(asset: TradableAsset, side: Side) -> CostCurve:
    return asset.selling if side is Side.SELL else asset.buying


def _first_cost(asset: TradableAsset, side: Side) -> int:
    steps = _curve(asset, side).steps
    return steps[0].cost if steps else BPS_ONE
