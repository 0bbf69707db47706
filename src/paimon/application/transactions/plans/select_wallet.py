"""Which wallet a plan needs: its calls valued at a final block, beside what each wallet has moved and has under way.

What counts is read from the plans' own rows. Of the hot key: each call whose intent is open, or ended with its transaction
mined and successful. Of a Safe: the whole plan, from its proposal until its nonce is used for something else; an expired
one counts no longer, unless it is being executed, and again if somebody executes it after all.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.transactions.plans.calls import InvalidPlan, ParsedCall, PlanErrorCode
from paimon.application.transactions.plans.context import PlanContext
from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import IntentKind, IntentStatus
from paimon.domain.transaction.safe_proposal import ProposalOutcome
from paimon.domain.transaction.spending_limit import ROLLING_DAY
from paimon.domain.transaction.wallet_selection import PlannedCall, PlanWallet, WalletCandidate, WalletChoice, choose_wallet
from paimon.infrastructure.blockchain.contracts.money_calls import read_amounts
from paimon.infrastructure.blockchain.contracts.reads import CallReverted
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow
from paimon.infrastructure.database.models.ops.plan import PlanCallRow, PlanRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.sessions import WriteSession

_LOCK: Final = 0x5061696D_706C616E  # "Paimplan"
_COUNTED_STATUSES: Final = (IntentStatus.FINAL, IntentStatus.FAILED)
"""Ends of an intent whose transaction succeeded, with its effect or without: the signer counts both."""


@dataclass(frozen=True, slots=True)
class ValuedCalls:
    """Calls with what each counts for at this block."""

    calls: tuple[ParsedCall, ...]
    planned: tuple[PlannedCall, ...]
    decimals: int
    at: BlockStamp


async def value_calls(calls: list[ParsedCall], context: PlanContext) -> ValuedCalls:
    """Raises InvalidPlan: what a call moves cannot be told. RpcUnavailable, RpcError."""
    at = await context.final_block()
    places = [position for position, each in enumerate(calls) if each.money is not None]
    amounts = dict.fromkeys(range(len(calls)), RawAmount(0))
    try:
        found = await read_amounts([each.money for each in calls if each.money is not None], context.contracts, at=at)
    except CallReverted as error:
        raise InvalidPlan(PlanErrorCode.VALUATION_FAILED, "calls", f"what the plan moves cannot be told: {error}") from error
    amounts.update(zip(places, found, strict=True))
    return ValuedCalls(
        calls=tuple(calls),
        planned=tuple(PlannedCall(each.contract, each.function, amounts[position]) for position, each in enumerate(calls)),
        decimals=await context.contracts.asset_decimals(at=at),
        at=at,
    )


async def lock_limits(session: WriteSession) -> None:
    """From here to the end of the transaction nobody else hands in a plan: what is read of the limits stays so.

    A lock of the transaction, not of the session: it goes with a commit, a rollback and a lost connection alike, also behind
    a pooler.
    """
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


async def select_wallet(session: AsyncSession, context: PlanContext, plan: str, valued: ValuedCalls) -> WalletChoice:
    """The smallest wallet that may do it, as the limits stand in this transaction."""
    now = await database_now(session)
    candidates = [
        WalletCandidate(
            wallet=each,
            is_configured=context.address(each) is not None,
            limit=context.limits[each].to_spending_limit(valued.decimals) if each in context.limits else None,
            moved_in_24_hours=await _sum_moved(session, PlanRow.wallet == each, now=now, since=now - ROLLING_DAY),
        )
        for each in PlanWallet
    ]
    return choose_wallet(
        valued.planned, candidates, earlier_plan_amount=await _sum_moved(session, PlanRow.name == plan, now=now, since=None)
    )


async def _sum_moved(session: AsyncSession, which: ColumnElement[bool], *, now: datetime, since: datetime | None) -> RawAmount:
    """What these plans have moved since then (ever, without), or still may."""
    intent, proposal = IntentRow, SafeProposalRow
    sent = (
        and_(intent.status.in_(_COUNTED_STATUSES), intent.closed_at > since) if since else intent.status.in_(_COUNTED_STATUSES)
    )
    of_key = (
        select(func.coalesce(func.sum(PlanCallRow.amount), 0))
        .join(PlanRow, PlanRow.id == PlanCallRow.plan_id)
        .join(intent, intent.id == PlanCallRow.intent_id)
        .where(which, or_(intent.closed_at.is_(None), sent))
    )
    is_executing = proposal.hash.in_(await list_executing_proposals(session))
    executed = proposal.outcome == ProposalOutcome.EXECUTED
    of_safe = (
        select(func.coalesce(func.sum(PlanRow.amount), 0))
        .join(proposal, proposal.hash == PlanRow.proposal)
        .where(
            which,
            or_(
                and_(proposal.outcome.is_(None), or_(proposal.expires_at > now, is_executing)),
                and_(executed, proposal.closed_at > since) if since else executed,
            ),
        )
    )
    signature_by_key, signature_by_safe = (
        await session.execute(select(of_key.scalar_subquery(), of_safe.scalar_subquery()))
    ).one()
    return RawAmount(int(signature_by_key) + int(signature_by_safe))


async def list_executing_proposals(session: AsyncSession) -> list[bytes]:
    """Hashes of the proposals that a transaction of ours is to execute."""
    kind = IntentRow.kind == IntentKind.EXECUTE_SAFE
    found = await session.scalars(select(IntentRow.request_id).where(kind, IntentRow.closed_at.is_(None)))
    return [each.to_bytes(32, "big") for each in found]
