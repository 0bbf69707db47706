"""Store plans, and sum what they move.

What counts towards a limit is read from the plans' own rows. Of the hot key: each call whose intent is open, or ended with
its transaction mined and successful. Of a Safe: the whole plan, from its proposal until its nonce is used for something else.
An expired proposal counts no longer, unless it is being executed; it counts again if someone executes it after all.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.common.idempotency import PayloadConflict
from paimon.application.transactions.plans.calls import ParsedCall
from paimon.domain.kernel.chain import Address, ContractName, Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.transaction.lifecycle import Call, IntentKind, IntentStatus
from paimon.domain.transaction.safe_proposal import ProposalOutcome
from paimon.domain.transaction.wallet_selection import PlannedCall, PlanWallet
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow
from paimon.infrastructure.database.models.ops.plan import PlanCallRow, PlanRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

_LOCK: Final = 0x5061696D_706C616E  # "Paimplan"
_COUNTED_STATUSES: Final = (IntentStatus.FINAL, IntentStatus.FAILED)
"""Ends of an intent whose transaction succeeded, with its effect or without: the signer counts both."""


async def lock_limits(session: WriteSession) -> None:
    """Let no other plan be submitted until the transaction ends, so that what is read of the limits stays true.

    The lock belongs to the transaction, not to the session: it ends with a commit, a rollback and a lost connection alike, also
    behind a pooler.
    """
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


async def find_existing_plan(session: ReadSession | WriteSession, key: str, digest: Hash32) -> PlanRow | None:
    """Return the plan that has this key already. Who submitted it and how it ended does not matter.

    Raises:
        PayloadConflict: the plan of this key has another name or other calls.
    """
    existing = (await session.scalars(select(PlanRow).where(PlanRow.idempotency_key == key))).one_or_none()
    if existing is not None and existing.payload_hash != digest:
        raise PayloadConflict(f"plan {key!r} exists with other calls or another name: one key stands for one plan")
    return existing


async def find_plan(session: WriteSession, plan_id: UUID) -> PlanRow | None:
    return await session.get(PlanRow, plan_id)


async def insert_plan(session: WriteSession, plan: PlanRow) -> None:
    session.add(plan)
    await session.flush()


def add_plan_call(
    session: WriteSession,
    plan: PlanRow,
    call_index: int,
    call: ParsedCall,
    planned: PlannedCall,
    *,
    intent_id: UUID | None,
) -> None:
    """Add one call of the plan; the commit writes it. `intent_id` is set if the hot key makes the call."""
    session.add(
        PlanCallRow(
            plan_id=plan.id,
            call_index=call_index,
            contract=call.contract,
            function=call.function,
            description=call.step.description,
            to_address=call.step.call.to,
            data=call.step.call.data,
            amount=planned.amount,
            intent_id=intent_id,
        )
    )


async def list_recorded_calls(session: AsyncSession, plan_id: UUID) -> list[tuple[ContractName, Call, str]]:
    """Return the calls of a plan in their order, each with its contract and description."""
    query = select(PlanCallRow).where(PlanCallRow.plan_id == plan_id).order_by(PlanCallRow.call_index)
    return [(row.contract, Call(Address(row.to_address), row.data), row.description) for row in await session.scalars(query)]


async def sum_moved_by_wallet(session: AsyncSession, wallet: PlanWallet, *, now: datetime, since: datetime) -> RawAmount:
    """Sum what the plans of this wallet have moved since that time, or still may."""
    return await _sum_moved(session, PlanRow.wallet == wallet, now=now, since=since)


async def sum_moved_by_plan(session: AsyncSession, name: str, *, now: datetime) -> RawAmount:
    """Sum what the pieces of the plan have ever moved, or still may."""
    return await _sum_moved(session, PlanRow.name == name, now=now, since=None)


async def _sum_moved(
    session: AsyncSession, condition: ColumnElement[bool], *, now: datetime, since: datetime | None
) -> RawAmount:
    intent, proposal = IntentRow, SafeProposalRow
    counted = intent.status.in_(_COUNTED_STATUSES)
    sent = and_(counted, intent.closed_at > since) if since else counted
    by_hot_key = (
        select(func.coalesce(func.sum(PlanCallRow.amount), 0))
        .join(PlanRow, PlanRow.id == PlanCallRow.plan_id)
        .join(intent, intent.id == PlanCallRow.intent_id)
        .where(condition, or_(intent.closed_at.is_(None), sent))
    )
    is_executing = proposal.hash.in_(await list_executing_proposals(session))
    executed = proposal.outcome == ProposalOutcome.EXECUTED
    by_safe = (
        select(func.coalesce(func.sum(PlanRow.amount), 0))
        .join(proposal, proposal.hash == PlanRow.proposal)
        .where(
            condition,
            or_(
                and_(proposal.outcome.is_(None), or_(proposal.expires_at > now, is_executing)),
                and_(executed, proposal.closed_at > since) if since else executed,
            ),
        )
    )
    query = select(by_hot_key.scalar_subquery(), by_safe.scalar_subquery())
    moved_by_hot_key, moved_by_safe = (await session.execute(query)).one()
    return RawAmount(int(moved_by_hot_key) + int(moved_by_safe))


async def list_executing_proposals(session: AsyncSession) -> list[bytes]:
    """Return the hashes of the proposals that a transaction of ours executes."""
    is_execution = IntentRow.kind == IntentKind.EXECUTE_SAFE
    found = await session.scalars(select(IntentRow.subject_id).where(is_execution, IntentRow.closed_at.is_(None)))
    return [bytes.fromhex(safe_tx_hash.removeprefix("0x")) for safe_tx_hash in found]
