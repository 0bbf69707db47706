"""Select the wallet for a plan: the smallest that may make all of its calls and has room for them.

A rejected wallet lists every reason that applies, so that a reader sees all that would have to change. The pieces of one
plan count as their sum, whichever wallet executed the earlier ones; the daily limit is each wallet's own. Source:
docs/concepts/fund.md, "Wallets and their limits".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from paimon.domain.kernel.chain import ContractName
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.spending_limit import SpendingLimit


class PlanWallet(StrEnum):
    """Wallets that can execute a plan, smallest first: a key, then the two Safes."""

    HOT = "hot"
    WARM = "warm"
    COLD = "cold"


class RebalancerFunction(StrEnum):
    """Functions of the AssetController that move the fund's money between its tiers, or order such a move."""

    ALLOCATE = "allocateToLayer"
    PURCHASE = "purchaseAsset"
    REDEEM = "redeemAsset"
    REBALANCE_BUFFER = "rebalanceBuffer"
    WATERFALL = "executeWaterfallLiquidation"
    CREATE_OTC = "createOTCOrder"
    PAY_OTC = "executeOTCPayment"
    CONFIRM_OTC = "confirmOTCDelivery"


_HOT_WALLET_FUNCTIONS: Final = frozenset(
    {RebalancerFunction.ALLOCATE, RebalancerFunction.PURCHASE, RebalancerFunction.REDEEM, RebalancerFunction.REBALANCE_BUFFER}
)
ALLOWED_FUNCTIONS: Final[Mapping[PlanWallet, frozenset[RebalancerFunction] | None]] = {
    PlanWallet.HOT: _HOT_WALLET_FUNCTIONS,
    PlanWallet.WARM: frozenset(RebalancerFunction),
    PlanWallet.COLD: None,
}
"""Functions of the AssetController that each wallet may call; None allows every call of the fund's three contracts."""


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call of a plan, and the amount it counts for in raw units of the vault's asset."""

    contract: ContractName
    function: str
    amount: RawAmount

    @property
    def is_rebalancer_call(self) -> bool:
        """Report whether REBALANCER_ROLE suffices for this call; every other call is an administrator's."""
        return self.contract is ContractName.ASSET_CONTROLLER and self.function in frozenset(RebalancerFunction)

    def __str__(self) -> str:
        return f"{self.contract}.{self.function}"


@dataclass(frozen=True, slots=True)
class WalletCandidate:
    """A wallet and its remaining room. `moved_in_24_hours` is final within 24 hours or in flight. No limit means any amount."""

    wallet: PlanWallet
    is_configured: bool
    limit: SpendingLimit | None
    moved_in_24_hours: RawAmount
    policy_fault: str | None = None
    """Why the approval policy keeps the plan from this wallet."""


class RejectionKind(StrEnum):
    """Kind of a reason to reject a wallet."""

    NOT_CONFIGURED = "absent"
    FUNCTION = "function"
    PLAN = "plan"
    DAY = "day"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class WalletRejectionReason:
    """Why a wallet is rejected: the calls it may not make, or the resulting amount and the allowed one."""

    kind: RejectionKind
    calls: tuple[str, ...] = ()
    resulting_amount: RawAmount = RawAmount(0)
    limit: RawAmount = RawAmount(0)
    policy_fault: str = ""

    def describe(self, decimals: int) -> str:
        """Describe the reason, with amounts in whole units of an asset with this many decimals."""
        resulting_amount, allowed = (
            format_whole_units(self.resulting_amount, decimals),
            format_whole_units(self.limit, decimals),
        )
        match self.kind:
            case RejectionKind.NOT_CONFIGURED:
                return "it is not configured"
            case RejectionKind.FUNCTION:
                return f"may not call {', '.join(self.calls)}"
            case RejectionKind.PLAN:
                return f"the plan moves {resulting_amount}, its plans stay below {allowed}"
            case RejectionKind.DAY:
                return f"{resulting_amount} of {allowed} allowed in 24 hours"
            case RejectionKind.POLICY:
                return self.policy_fault


@dataclass(frozen=True, slots=True)
class RejectedWallet:
    """A wallet that may not execute the plan, with every reason."""

    wallet: PlanWallet
    reasons: tuple[WalletRejectionReason, ...]

    def describe(self, decimals: int) -> str:
        """Describe the wallet and its reasons in one line."""
        return f"{self.wallet}: {'; '.join(reason.describe(decimals) for reason in self.reasons)}"


@dataclass(frozen=True, slots=True)
class WalletChoice:
    """The selected wallet, or None when no wallet may.

    `amount` is that of these calls; `plan_amount` includes the plan's earlier pieces.
    """

    wallet: PlanWallet | None
    amount: RawAmount
    plan_amount: RawAmount
    rejected_wallets: tuple[RejectedWallet, ...]


def choose_wallet(
    calls: Sequence[PlannedCall], candidates: Sequence[WalletCandidate], *, earlier_plan_amount: RawAmount
) -> WalletChoice:
    """Choose the first candidate without a reason against it; candidates come smallest first.

    `earlier_plan_amount` is what earlier pieces of the plan have moved, or still may move.
    """
    amount = RawAmount(sum(call.amount for call in calls))
    plan_amount = RawAmount(earlier_plan_amount + amount)
    rejected_wallets: list[RejectedWallet] = []
    for candidate in candidates:
        reasons = tuple(_rejection_reasons(candidate, calls, amount, plan_amount))
        if not reasons:
            return WalletChoice(candidate.wallet, amount, plan_amount, tuple(rejected_wallets))
        rejected_wallets.append(RejectedWallet(candidate.wallet, reasons))
    return WalletChoice(None, amount, plan_amount, tuple(rejected_wallets))


def _rejection_reasons(
    candidate: WalletCandidate, calls: Sequence[PlannedCall], amount: RawAmount, plan_amount: RawAmount
) -> list[WalletRejectionReason]:
    reasons: list[WalletRejectionReason] = []
    if not candidate.is_configured:
        reasons.append(WalletRejectionReason(RejectionKind.NOT_CONFIGURED))
    allowed = ALLOWED_FUNCTIONS[candidate.wallet]
    forbidden = (
        [] if allowed is None else [str(call) for call in calls if not (call.is_rebalancer_call and call.function in allowed)]
    )
    if forbidden:
        reasons.append(WalletRejectionReason(RejectionKind.FUNCTION, calls=tuple(dict.fromkeys(forbidden))))
    if (limit := candidate.limit) is not None:
        if plan_amount >= limit.per_plan:
            reasons.append(WalletRejectionReason(RejectionKind.PLAN, resulting_amount=plan_amount, limit=limit.per_plan))
        if (day := RawAmount(candidate.moved_in_24_hours + amount)) > limit.per_day:
            reasons.append(WalletRejectionReason(RejectionKind.DAY, resulting_amount=day, limit=limit.per_day))
    if candidate.policy_fault is not None:
        reasons.append(WalletRejectionReason(RejectionKind.POLICY, policy_fault=candidate.policy_fault))
    return reasons


def format_whole_units(amount: int, decimals: int) -> str:
    """Format an amount in whole units in groups of three: `620 000` or `1 234.5`."""
    whole, part = divmod(amount, 10**decimals)
    digits = f"{part:0{decimals}d}".rstrip("0") if part else ""
    return f"{whole:,}".replace(",", " ") + (f".{digits}" if digits else "")
