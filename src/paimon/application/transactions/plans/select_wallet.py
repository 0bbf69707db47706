"""Select the wallet of a plan: value its calls, and compare them with what each wallet may move, and with the policy.

The approval policy decides for each wallet as the source:

    a rule blocks a call, or none matches it    no plan of this wallet
    a rule asks for approvals                   the wallet is a Safe whose threshold is at least as high: an owner's signature
                                                over the Safe transaction is the vote on the plan's ticket. A key collects none
    rules allow every call                      the wallet's limits alone count
"""

from collections.abc import Sequence
from dataclasses import dataclass

from paimon.application.approval_policy.publications import get_current_policy
from paimon.application.deployment.store import find_deployment
from paimon.application.transactions.multisig.store import list_thresholds
from paimon.application.transactions.plans.calls import InvalidPlan, ParsedCall, PlanRequest
from paimon.application.transactions.plans.context import PlanContext
from paimon.application.transactions.plans.store import sum_moved_by_plan, sum_moved_by_wallet
from paimon.domain.approval.policy import (
    ApprovalPolicy,
    Initiator,
    Operation,
    OperationKind,
    PolicyBlocked,
    TicketRequirement,
    in_whole_units,
)
from paimon.domain.deployment.capability import CAPABILITIES
from paimon.domain.deployment.contract_facts import Deployment, FunctionState
from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.spending_limit import ROLLING_DAY
from paimon.domain.transaction.wallet_selection import PlannedCall, PlanWallet, WalletCandidate, WalletChoice, choose_wallet
from paimon.errors import DetailCode
from paimon.infrastructure.blockchain.contracts.money_calls import read_amounts
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import ReadSession, WriteSession


def _require_in_deployment(calls: Sequence[ParsedCall], deployment: Deployment) -> None:
    """Raises InvalidPlan for the first call of a function that its contract was found not to have."""
    for index, call in enumerate(calls):
        if deployment.state(call.contract, call.signature) is not FunctionState.ABSENT:
            continue
        lost = [
            CAPABILITIES[found.capability].switched_off
            for found in deployment.absent
            if (call.contract, call.signature) in {(missing.contract, missing.signature) for missing in found.missing}
        ]
        raise InvalidPlan(
            DetailCode.NOT_IN_DEPLOYMENT,
            f"calls.{index}.function",
            f"this {call.contract} has no {call.signature}, as its code showed at block {deployment.at.number}. Switched off:"
            f" {'; '.join(lost)}. `paimon contracts` examines it again",
        )


@dataclass(frozen=True, slots=True)
class ValuedCalls:
    """Calls with the amount that each counts for at this block."""

    calls: tuple[ParsedCall, ...]
    planned: tuple[PlannedCall, ...]
    decimals: int
    at: BlockStamp


async def value_calls(calls: list[ParsedCall], context: PlanContext) -> ValuedCalls:
    """Read what each call moves.

    Raises:
        InvalidPlan: the deployment does not have a call, or the amount of one cannot be read.
        RpcUnavailable, RpcError.
    """
    async with context.database.read() as session:
        if (deployment := await find_deployment(session)) is not None:
            _require_in_deployment(calls, deployment)
    at = await context.final_block()
    money_indexes = [index for index, call in enumerate(calls) if call.money is not None]
    amounts = dict.fromkeys(range(len(calls)), RawAmount(0))
    try:
        found = await read_amounts([call.money for call in calls if call.money is not None], context.contracts, at=at)
    except CallReverted as error:
        raise InvalidPlan(
            DetailCode.VALUATION_FAILED, "calls", f"the amount that the plan moves cannot be read: {error}"
        ) from error
    amounts.update(zip(money_indexes, found, strict=True))
    return ValuedCalls(
        calls=tuple(calls),
        planned=tuple(PlannedCall(call.contract, call.function, amounts[index]) for index, call in enumerate(calls)),
        decimals=await context.contracts.asset_decimals(at=at),
        at=at,
    )


@dataclass(frozen=True, slots=True)
class SelectedWallet:
    """The choice of the wallet, and the approvals that the policy asks for with this wallet as the source."""

    choice: WalletChoice
    requirement: TicketRequirement | None
    """None for a plan that needs no ticket, and without a wallet."""
    threshold: int | None
    """Of the chosen Safe; None for a key."""


async def select_wallet(
    session: ReadSession | WriteSession, context: PlanContext, request: PlanRequest, valued: ValuedCalls
) -> SelectedWallet:
    """Return the smallest wallet that may carry out the plan, as limits and policy stand in this transaction."""
    now, policy = await database_now(session), await get_current_policy(session, context.signing_rules.scope)
    earlier_plan_amount = await sum_moved_by_plan(session, request.plan, now=now)
    thresholds = await list_thresholds(session)
    candidates, requirements = [], {}
    for wallet in PlanWallet:
        moved = await sum_moved_by_wallet(session, wallet, now=now, since=now - ROLLING_DAY)
        amount = sum(call.amount for call in valued.planned)
        operations = plan_operations(
            request.initiator,
            wallet,
            valued.calls,
            amount=RawAmount(earlier_plan_amount + amount),
            moved_in_24_hours=RawAmount(moved + amount),
            decimals=valued.decimals,
        )
        threshold = thresholds.get(context.address(wallet))
        requirements[wallet], policy_fault = policy_verdict(policy, wallet, operations, threshold=threshold)
        candidates.append(
            WalletCandidate(
                wallet=wallet,
                is_configured=context.address(wallet) is not None,
                limit=context.limits[wallet].to_spending_limit(valued.decimals) if wallet in context.limits else None,
                moved_in_24_hours=moved,
                policy_fault=policy_fault,
            )
        )
    choice = choose_wallet(valued.planned, candidates, earlier_plan_amount=earlier_plan_amount)
    if choice.wallet is None:
        return SelectedWallet(choice, None, None)
    return SelectedWallet(choice, requirements[choice.wallet], thresholds.get(context.address(choice.wallet)))


def plan_operations(
    initiator: Initiator,
    wallet: PlanWallet,
    calls: Sequence[ParsedCall],
    *,
    amount: RawAmount,
    moved_in_24_hours: RawAmount,
    decimals: int,
) -> list[Operation]:
    """Return one operation for each call of a plan, with this wallet as the source.

    Each counts for the whole plan, so that splitting it lowers nothing. Both amounts include the plan.
    """
    return [
        Operation(
            kind=OperationKind.REBALANCE if initiator is Initiator.PLANNER else OperationKind.CALL,
            initiator=initiator,
            source=wallet,
            contract=call.contract,
            method=call.function,
            amount=in_whole_units(amount, decimals),
            amount_24h=in_whole_units(moved_in_24_hours, decimals),
            asset=call.asset,
            destination=call.destination,
        )
        for call in calls
    ]


def policy_verdict(
    policy: ApprovalPolicy, wallet: PlanWallet, operations: list[Operation], *, threshold: int | None
) -> tuple[TicketRequirement | None, str | None]:
    """Return the approvals that the plan needs, if any, and why the policy keeps it from this wallet, if it does.

    `threshold` is the Safe's; None for a key, and for a Safe that was not synced yet.
    """
    try:
        required = policy.require_allowed(operations)
    except PolicyBlocked as blocked:
        return None, str(blocked)
    if required is None:
        return None, None
    asked = f"rule {required.rules[0].name} of policy {policy.version} asks for {required.count_min} approvals"
    if wallet is PlanWallet.HOT:
        return required, f"{asked}, which the owners of a Safe give"
    if threshold is not None and threshold < required.count_min:
        return required, f"{asked}, and {threshold} owners of its Safe suffice"
    return required, None
