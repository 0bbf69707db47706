"""What a plan is: trades with their reasons, the fund after them, and the limits that it could not keep."""

from dataclasses import dataclass
from enum import StrEnum

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import Bps, RawAmount
from paimon.domain.rebalance.plan_policy import LimitGroup


class Side(StrEnum):
    SELL = "sell"
    BUY = "buy"


class TradeReason(StrEnum):
    """Why a trade is in the plan; the first that applies."""

    PAYOUT = "payout"  # the cash pays redemptions
    CONCENTRATION = "concentration"  # the asset, or its counterparty, is above its cap
    TIER_ABOVE_TARGET = "tier_above_target"
    TIER_BELOW_TARGET = "tier_below_target"
    WITHIN_TIER = "within_tier"  # takes the place of another asset of its tier
    REVERSAL = "reversal"  # undoes a trade of an earlier plan


class Method(StrEnum):
    """How the trades were chosen."""

    OPTIMISED = "optimised"
    GREEDY = "greedy"
    PRO_RATA = "pro_rata"
    REVERSED = "reversed"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Trade:
    """A sale of this value, or a purchase for this much cash. `cost` is fee, spread and slippage, without gas."""

    side: Side
    token: Address
    tier: Tier
    amount: RawAmount
    cost: RawAmount
    settles_in: int = 0

    @property
    def proceeds(self) -> RawAmount:
        """Return the cash of a sale, or the value of what is bought."""
        return RawAmount(self.amount - self.cost)


@dataclass(frozen=True, slots=True)
class AskedTrade:
    """A trade that a person asks for: a sale of this value, or a purchase for this much cash."""

    side: Side
    token: Address
    amount: RawAmount


@dataclass(frozen=True, slots=True)
class ExplainedTrade:
    """A trade, its reason, and what it saves against the same amount traded pro rata (negative: it costs more)."""

    trade: Trade
    reason: TradeReason
    saved: int
    slippage_warning: bool


@dataclass(frozen=True, slots=True)
class FundAfter:
    """The fund after trades. L1 counts cash of sales that has not arrived."""

    cash: int
    """Available today: never negative in a plan that is carried out."""
    total: int
    tier_values: dict[Tier, int]
    exposures: dict[Address, int]


@dataclass(frozen=True, slots=True)
class BrokenLimit:
    """A limit that the plan does not keep, what of, and by how much."""

    group: LimitGroup
    subject: str
    amount: RawAmount


@dataclass(frozen=True, slots=True)
class RebalancePlan:
    """The trades of today. `conflict` names a smallest set of limits that no plan keeps together; empty where all are kept."""

    method: Method
    trades: tuple[ExplainedTrade, ...]
    after: FundAfter
    cost: RawAmount
    gas: RawAmount
    benefit: RawAmount
    """What it is worth: the cost of being off target that it ends, and of the shortage that it averts."""
    broken: tuple[BrokenLimit, ...] = ()
    conflict: tuple[LimitGroup, ...] = ()
    performance_fee: RawAmount = RawAmount(0)
    """What accrues because L3 was bought, unless the mark is set with it."""
    high_water_mark: RawAmount | None = None
    """The mark to set with the plan, so that buying L3 accrues no fee; None where L3 does not grow."""
    solver: str = ""

    @property
    def amount(self) -> RawAmount:
        """Return what the plan moves: the sum of its trades."""
        return RawAmount(sum(explained.trade.amount for explained in self.trades))


@dataclass(frozen=True, slots=True)
class NoPlan:
    """Why there is nothing to do, in words."""

    reason: str
    deviation: Bps
