"""Which wallet carries out a plan: the smallest that may make all of its calls and has room for them, and why no smaller one.

A wallet is passed over for every reason that applies, so that whoever reads them sees all that would have to change. A plan
that comes in pieces counts as their sum, whichever wallet took the earlier ones; a day is each wallet's own.
Source: docs/concepts/fund.md, "Wallets and their limits".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from paimon.domain.kernel.chain import ContractName
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.spending_limit import SpendingLimit


class PlanWallet(StrEnum):
    """Who can carry out a plan, smallest first: a key, then the two Safes."""

    HOT = "hot"
    WARM = "warm"
    COLD = "cold"


class MoneyFunction(StrEnum):
    """Functions of the AssetController that move the fund's money between its tiers, or order that it be moved."""

    ALLOCATE = "allocateToLayer"
    PURCHASE = "purchaseAsset"
    REDEEM = "redeemAsset"
    REBALANCE_BUFFER = "rebalanceBuffer"
    WATERFALL = "executeWaterfallLiquidation"
    CREATE_OTC = "createOTCOrder"
    PAY_OTC = "executeOTCPayment"
    CONFIRM_OTC = "confirmOTCDelivery"


_KEYS_MAY: Final = frozenset(
    {MoneyFunction.ALLOCATE, MoneyFunction.PURCHASE, MoneyFunction.REDEEM, MoneyFunction.REBALANCE_BUFFER}
)
MAY: Final[Mapping[PlanWallet, frozenset[MoneyFunction] | None]] = {
    PlanWallet.HOT: _KEYS_MAY,
    PlanWallet.WARM: frozenset(MoneyFunction),
    PlanWallet.COLD: None,
}
"""What each may call of the AssetController; None is anything of the fund's three contracts."""


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call of a plan, and what it counts for, in units of the vault's asset."""

    contract: ContractName
    function: str
    amount: RawAmount

    @property
    def moves_money(self) -> bool:
        """Whether it is one of the functions that REBALANCER_ROLE is for; all else is an administrator's."""
        return self.contract is ContractName.ASSET_CONTROLLER and self.function in frozenset(MoneyFunction)

    def __str__(self) -> str:
        return f"{self.contract}.{self.function}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A wallet as it stands: `moved_today` is final within 24 hours, or in flight. Without a limit it may move anything."""

    wallet: PlanWallet
    is_there: bool
    limit: SpendingLimit | None
    moved_today: RawAmount


class Obstacle(StrEnum):
    ABSENT = "absent"
    FUNCTION = "function"
    PLAN = "plan"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a wallet does not do it: the calls it may not make, or what it would come to and what is allowed."""

    obstacle: Obstacle
    calls: tuple[str, ...] = ()
    would_be: RawAmount = RawAmount(0)
    allowed: RawAmount = RawAmount(0)

    def words(self, decimals: int) -> str:
        """For people; amounts in whole units of an asset that has so many decimals."""
        would_be, allowed = grouped(self.would_be, decimals), grouped(self.allowed, decimals)
        match self.obstacle:
            case Obstacle.ABSENT:
                return "there is none here"
            case Obstacle.FUNCTION:
                return f"may not call {', '.join(self.calls)}"
            case Obstacle.PLAN:
                return f"the plan moves {would_be}, its plans stay below {allowed}"
            case Obstacle.DAY:
                return f"{would_be} of {allowed} allowed a day"


@dataclass(frozen=True, slots=True)
class PassedOver:
    wallet: PlanWallet
    reasons: tuple[Reason, ...]

    def words(self, decimals: int) -> str:
        return f"{self.wallet}: {'; '.join(each.words(decimals) for each in self.reasons)}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The wallet, or None when none may; `amount` of these calls, `plan_amount` with the plan's earlier pieces."""

    wallet: PlanWallet | None
    amount: RawAmount
    plan_amount: RawAmount
    passed_over: tuple[PassedOver, ...]


def choose(calls: Sequence[PlannedCall], candidates: Sequence[Candidate], *, plan_before: RawAmount) -> Choice:
    """The first of the candidates, given smallest first, that nothing speaks against.

    `plan_before` is what earlier pieces of the same plan have moved, or still may.
    """
    amount = RawAmount(sum(each.amount for each in calls))
    plan_amount = RawAmount(plan_before + amount)
    passed_over: list[PassedOver] = []
    for candidate in candidates:
        reasons = tuple(_against(candidate, calls, amount, plan_amount))
        if not reasons:
            return Choice(candidate.wallet, amount, plan_amount, tuple(passed_over))
        passed_over.append(PassedOver(candidate.wallet, reasons))
    return Choice(None, amount, plan_amount, tuple(passed_over))


def _against(candidate: Candidate, calls: Sequence[PlannedCall], amount: RawAmount, plan_amount: RawAmount) -> list[Reason]:
    reasons: list[Reason] = []
    if not candidate.is_there:
        reasons.append(Reason(Obstacle.ABSENT))
    allowed = MAY[candidate.wallet]
    forbidden = [] if allowed is None else [str(each) for each in calls if not (each.moves_money and each.function in allowed)]
    if forbidden:
        reasons.append(Reason(Obstacle.FUNCTION, calls=tuple(dict.fromkeys(forbidden))))
    if (limit := candidate.limit) is not None:
        if plan_amount >= limit.per_plan:
            reasons.append(Reason(Obstacle.PLAN, would_be=plan_amount, allowed=limit.per_plan))
        if (day := RawAmount(candidate.moved_today + amount)) > limit.per_day:
            reasons.append(Reason(Obstacle.DAY, would_be=day, allowed=limit.per_day))
    return reasons


def grouped(amount: int, decimals: int) -> str:
    """`620 000` or `1 234.5`: whole units in groups of three, for people."""
    whole, part = divmod(amount, 10**decimals)
    digits = f"{part:0{decimals}d}".rstrip("0") if part else ""
    return f"{whole:,}".replace(",", " ") + (f".{digits}" if digits else "")
