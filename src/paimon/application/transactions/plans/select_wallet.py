"""Select the wallet of a plan: value its calls, and compare them with what each wallet has moved and may still move."""

from dataclasses import dataclass

from paimon.application.transactions.plans.calls import InvalidPlan, ParsedCall
from paimon.application.transactions.plans.context import PlanContext
from paimon.application.transactions.plans.store import sum_moved_by_plan, sum_moved_by_wallet
from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.spending_limit import ROLLING_DAY
from paimon.domain.transaction.wallet_selection import PlannedCall, PlanWallet, WalletCandidate, WalletChoice, choose_wallet
from paimon.errors import DetailCode
from paimon.infrastructure.blockchain.contracts.money_calls import read_amounts
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import ReadSession, WriteSession


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
        InvalidPlan: the amount of a call cannot be read.
        RpcUnavailable, RpcError.
    """
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


async def select_wallet(
    session: ReadSession | WriteSession, context: PlanContext, plan: str, valued: ValuedCalls
) -> WalletChoice:
    """Return the smallest wallet that may carry out the plan, as the limits stand in this transaction."""
    now = await database_now(session)
    candidates = [
        WalletCandidate(
            wallet=wallet,
            is_configured=context.address(wallet) is not None,
            limit=context.limits[wallet].to_spending_limit(valued.decimals) if wallet in context.limits else None,
            moved_in_24_hours=await sum_moved_by_wallet(session, wallet, now=now, since=now - ROLLING_DAY),
        )
        for wallet in PlanWallet
    ]
    earlier_plan_amount = await sum_moved_by_plan(session, plan, now=now)
    return choose_wallet(valued.planned, candidates, earlier_plan_amount=earlier_plan_amount)
