"""What trades do to the fund, in exact integers, and which limits the fund then breaks.

Every plan is checked here, the greedy one too: the solver's floating-point numbers decide nothing by themselves.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from paimon.domain.asset.profile import UNKNOWN_COUNTERPARTY
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import BPS_ONE, RawAmount, Rounding, divide
from paimon.domain.rebalance.measured_fund import MeasuredFund
from paimon.domain.rebalance.plan_policy import Band, LimitGroup, PlanPolicy
from paimon.domain.rebalance.rebalance_plan import BrokenLimit, FundAfter, Side, Trade


class ImpossibleTrade(ValueError):
    """A trade sells more than is held, buys less than the asset's least amount, or is not possible on the asset's curve."""


def fund_after(fund: MeasuredFund, trades: Iterable[Trade]) -> FundAfter:
    """Carry the trades out.

    Raises:
        ImpossibleTrade: one of them cannot be made, or its cost is not that of the asset's curve.
    """
    assets = {asset.token: asset for asset in fund.assets}
    exposures = {token: int(asset.exposure) for token, asset in assets.items()}
    held = {token: int(asset.value) for token, asset in assets.items()}
    tiers = dict(fund.tier_values)
    cash, total = int(fund.cash), int(fund.total)
    for trade in trades:
        asset = assets[trade.token]
        sells = trade.side is Side.SELL
        curve, possible = (asset.selling, asset.sells_today) if sells else (asset.buying, asset.buys_today)
        if not possible or trade.amount > curve.largest_trade(trade.amount):
            raise ImpossibleTrade(f"{trade.side} {trade.amount} of {trade.token.hex()} is not possible today")
        if sells and trade.amount > held[trade.token]:
            raise ImpossibleTrade(f"sells {trade.amount} of {trade.token.hex()}, of which {held[trade.token]} is held")
        if not sells and trade.amount < asset.smallest_purchase:
            raise ImpossibleTrade(f"buys {trade.amount} of {trade.token.hex()}, least is {asset.smallest_purchase}")
        if trade.cost != curve.cost_of(trade.amount):
            raise ImpossibleTrade(f"{trade.side} of {trade.token.hex()} costs {curve.cost_of(trade.amount)}, not {trade.cost}")
        change = -trade.amount if sells else trade.proceeds
        exposures[trade.token] += change
        held[trade.token] += change
        tiers[trade.tier] += change
        tiers[Tier.L1] += trade.proceeds if sells else -trade.amount
        total -= trade.cost
        if not sells:
            cash -= trade.amount
        elif trade.settles_in == 0:
            cash += trade.proceeds
    return FundAfter(cash, total, tiers, exposures)


def due_today(fund: MeasuredFund) -> RawAmount:
    """Return what must be paid today."""
    return RawAmount(sum(outflow.due + outflow.expected for outflow in fund.outflows if outflow.day <= 0))


def broken_limits(fund: MeasuredFund, policy: PlanPolicy, after: FundAfter) -> tuple[BrokenLimit, ...]:
    """Return the limits that the fund breaks after its trades, in the order of their rank."""
    return tuple(_broken_limits(fund, policy, after))


def deviation_beyond_landing(policy: PlanPolicy, tier_values: Mapping[Tier, int], total: int) -> RawAmount:
    """Return by how much the tiers are off target beyond the landing, added up; rounded up."""
    beyond = 0
    for tier, target in policy.targets.items():
        off = abs(tier_values[tier] * BPS_ONE - target * total) - policy.landing * total
        beyond += divide(max(off, 0), BPS_ONE, rounding=Rounding.UP)
    return RawAmount(beyond)


def counterparty_exposures(fund: MeasuredFund, exposures: Mapping[Address, int]) -> dict[str, int]:
    """Return what the fund has with each counterparty; assets without a profile count together as "unknown"."""
    sums: dict[str, int] = defaultdict(int)
    for asset in fund.assets:
        sums[asset.counterparty or UNKNOWN_COUNTERPARTY] += exposures[asset.token]
    return dict(sums)


def _broken_limits(fund: MeasuredFund, policy: PlanPolicy, after: FundAfter) -> Iterator[BrokenLimit]:
    if (missing := due_today(fund) - after.cash) > 0:
        yield BrokenLimit(LimitGroup.PAYOUTS, "cash for today", RawAmount(missing))
    gross = {tier: value + (fund.reserved if tier is Tier.L1 else 0) for tier, value in after.tier_values.items()}
    for group, bands, values, total in (
        (LimitGroup.CONTRACT_BANDS, policy.contract_bands, gross, after.total + fund.reserved),
        (LimitGroup.BANDS, policy.bands, after.tier_values, after.total),
    ):
        for tier in Tier:
            if (outside := _outside(bands[tier], values[tier], total)) > 0:
                yield BrokenLimit(group, tier, RawAmount(outside))
    largest = sorted(after.exposures.items(), key=lambda item: (-item[1], item[0]))
    for token, exposure in largest:
        if (above := _above(exposure, policy.asset_cap, after.total)) > 0:
            yield BrokenLimit(LimitGroup.ASSET_CAP, token.hex(), RawAmount(above))
    if (above := _above(sum(exposure for _, exposure in largest[:3]), policy.top3_cap, after.total)) > 0:
        yield BrokenLimit(LimitGroup.TOP3_CAP, "three largest assets", RawAmount(above))
    for counterparty, exposure in sorted(counterparty_exposures(fund, after.exposures).items()):
        if (above := _above(exposure, policy.counterparty_cap, after.total)) > 0:
            yield BrokenLimit(LimitGroup.COUNTERPARTY_CAP, counterparty, RawAmount(above))


def _outside(band: Band, value: int, total: int) -> int:
    """Return how far a value is outside of its band, rounded up; 0 inside."""
    below = band.minimum * total - value * BPS_ONE
    above = value * BPS_ONE - band.maximum * total
    return divide(max(below, above, 0), BPS_ONE, rounding=Rounding.UP)


def _above(value: int, cap: int, total: int) -> int:
    return divide(max(value * BPS_ONE - cap * total, 0), BPS_ONE, rounding=Rounding.UP)
