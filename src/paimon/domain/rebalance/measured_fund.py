"""The fund as the planner sees it: values at one final block and at trusted prices, what trading costs, and coming outflows.

Amounts are raw units of the vault's asset (USDT). Nothing here is read or guessed: the caller measures, this module describes.
"""

from dataclasses import dataclass
from functools import cached_property

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount, Rounding, divide, portion


@dataclass(frozen=True, slots=True)
class CostStep:
    """Up to this amount of one trade, each unit costs this many basis points. None: up to any amount."""

    up_to: RawAmount | None
    cost: Bps


@dataclass(frozen=True, slots=True)
class CostCurve:
    """What trading an asset costs by the amount traded: fee, spread and slippage together.

    Later steps cost more, so that half of a trade never costs more than half. A curve without steps allows no trade; one whose
    last step ends allows none above it.

    Raises:
        ValueError: the amounts do not rise, a cost falls, a cost is outside of 0 … 10 000, or a step follows an endless one.
    """

    steps: tuple[CostStep, ...] = ()

    def __post_init__(self) -> None:
        start, cost = 0, 0
        for position, step in enumerate(self.steps):
            if not cost <= step.cost <= BPS_ONE:
                raise ValueError(f"step {position} costs {step.cost} bps: from {cost} to {BPS_ONE} is possible there")
            if step.up_to is None:
                if position != len(self.steps) - 1:
                    raise ValueError(f"step {position} has no end, and another follows it")
                continue
            if step.up_to <= start:
                raise ValueError(f"step {position} ends at {step.up_to}, not above {start}")
            start, cost = step.up_to, step.cost

    @classmethod
    def flat(cls, cost: Bps, up_to: RawAmount | None = None) -> "CostCurve":
        """Return the curve of an asset that costs the same at any amount."""
        return cls((CostStep(up_to, cost),))

    def below(self, cost_max: Bps) -> "CostCurve":
        """Return the curve without the steps that cost more than this."""
        return CostCurve(tuple(step for step in self.steps if step.cost <= cost_max))

    def widths(self, limit: RawAmount) -> tuple[tuple[RawAmount, Bps], ...]:
        """Return (width, cost) of each step, cut at `limit`, without empty ones."""
        found: list[tuple[RawAmount, Bps]] = []
        start = 0
        for step in self.steps:
            end = limit if step.up_to is None else min(step.up_to, limit)
            if end > start:
                found.append((RawAmount(end - start), step.cost))
            start = max(start, end)
        return tuple(found)

    def largest_trade(self, limit: RawAmount) -> RawAmount:
        """Return the largest amount, up to `limit`, that can be traded."""
        return RawAmount(sum(width for width, _ in self.widths(limit)))

    def cost_of(self, amount: RawAmount) -> RawAmount:
        """Return what trading this amount costs, rounded up.

        Raises:
            ValueError: the curve allows no trade of this amount.
        """
        widths = self.widths(amount)
        if sum(width for width, _ in widths) < amount:
            raise ValueError(f"no trade of {amount} is possible on this curve")
        return RawAmount(divide(sum(width * cost for width, cost in widths), BPS_ONE, rounding=Rounding.UP))


@dataclass(frozen=True, slots=True)
class TradableAsset:
    """One asset of the fund.

    `value` is what the vault holds at the trusted price. `in_transit` is paid for and not delivered: it counts for the tier and
    cannot be sold. A curve is empty where the asset cannot be traded: its price is not trusted, or the contract is paused.
    `days_to_cash` pass between a sale and its cash. `sells_in` and `buys_in` are the days until its window opens; the curves
    hold from then on.
    """

    token: Address
    tier: Tier
    value: RawAmount
    selling: CostCurve
    buying: CostCurve
    days_to_cash: int = 0
    sells_in: int = 0
    buys_in: int = 0
    counterparty: str | None = None
    smallest_purchase: RawAmount = RawAmount(0)
    in_transit: RawAmount = RawAmount(0)

    @property
    def exposure(self) -> RawAmount:
        """Return what the fund has in this asset, delivered or not."""
        return RawAmount(self.value + self.in_transit)

    @property
    def sells_today(self) -> bool:
        return self.sells_in == 0 and self.value > 0 and bool(self.selling.steps)

    @property
    def buys_today(self) -> bool:
        return self.buys_in == 0 and bool(self.buying.steps)


@dataclass(frozen=True, slots=True)
class OutflowDay:
    """What leaves the fund on one day from now: confirmed and due, and more: as expected, and in the stressed case."""

    day: int
    due: RawAmount = RawAmount(0)
    expected: RawAmount = RawAmount(0)
    stressed: RawAmount = RawAmount(0)


@dataclass(frozen=True)
class MeasuredFund:
    """The fund at one block.

    `reserved` is the part of L1 that is set aside for open redemptions: ratios are those of what is left. `arriving` is cash of
    sales that have not settled yet, by day; it counts for L1.
    """

    cash: RawAmount
    assets: tuple[TradableAsset, ...]
    reserved: RawAmount = RawAmount(0)
    arriving: tuple[tuple[int, RawAmount], ...] = ()
    outflows: tuple[OutflowDay, ...] = ()
    high_water_mark: RawAmount = RawAmount(0)
    performance_fee: Bps = Bps(0)

    @cached_property
    def total(self) -> RawAmount:
        """Gross assets less what is reserved; 0 where more is reserved than the fund has."""
        assets = sum(asset.exposure for asset in self.assets)
        return RawAmount(max(self.cash + self._arriving + assets - self.reserved, 0))

    @cached_property
    def tier_values(self) -> dict[Tier, int]:
        """The value of each tier. L1 is net of what is reserved, and negative where that is more than L1 has."""
        values: dict[Tier, int] = {tier: sum(asset.exposure for asset in self.assets if asset.tier is tier) for tier in Tier}
        values[Tier.L1] += self.cash + self._arriving - self.reserved
        return values

    def performance_fee_at(self, layer3: int) -> RawAmount:
        """Return the performance fee that accrues at this value of L3. Source: AssetController.accruePerformanceFee."""
        return portion(RawAmount(max(layer3 - self.high_water_mark, 0)), self.performance_fee, rounding=Rounding.DOWN)

    @property
    def _arriving(self) -> int:
        return sum(amount for _, amount in self.arriving)
