"""Rows of wallets, intents and attempts, as sending reads them.

Everything about a wallet's intents is changed under the lock on its row. The lock is FOR NO KEY UPDATE: a plain FOR
UPDATE would make every new intent, whose foreign key takes a key-share lock on the wallet, wait for the driver.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, selectinload

from paimon.domain.approval.ticket import Verdict
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.transaction.lifecycle import AttemptStatus, IntentKind, IntentStatus
from paimon.domain.transaction.operator_action import ActionPreconditions, ActionStatus
from paimon.domain.transaction.signing import SignedVote
from paimon.infrastructure.database.models.ops.approval import ApprovalRecordRow
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.models.ops.plan import PlanCallRow, PlanRow
from paimon.infrastructure.database.models.ops.transaction import AttemptRow, IntentRow, WalletRow
from paimon.infrastructure.database.sessions import WriteSession

VERDICT_OF = {IntentKind.APPROVE_REDEMPTION: Verdict.APPROVE, IntentKind.REJECT_REDEMPTION: Verdict.REJECT}


async def lock_wallet(session: WriteSession, address: Address) -> tuple[WalletRow, datetime] | None:
    """The wallet's row, ours until the transaction ends, and the time; None when another driver has it, or none was queued."""
    query = select(WalletRow, func.now()).where(WalletRow.address == address).with_for_update(key_share=True, skip_locked=True)
    found = (await session.execute(query)).one_or_none()
    return None if found is None else (found[0], found[1])


async def find_unacknowledged(session: WriteSession, wallet: Address) -> AttemptRow | None:
    """The one attempt that is signed and that no node has confirmed to hold."""
    query = select(AttemptRow).where(AttemptRow.wallet == wallet, AttemptRow.status == AttemptStatus.SIGNED)
    return (await session.scalars(query)).one_or_none()


async def lock_attempt(session: WriteSession, attempt_hash: Hash32) -> AttemptRow:
    query = select(AttemptRow).where(AttemptRow.hash == attempt_hash).with_for_update()
    return (await session.scalars(query)).one()


async def list_sending(session: WriteSession, wallet: Address) -> list[IntentRow]:
    """Intents in flight with all their attempts, oldest first."""
    query = (
        select(IntentRow)
        .where(IntentRow.wallet == wallet, IntentRow.status == IntentStatus.SENDING)
        .options(selectinload(IntentRow.attempts))
        .order_by(IntentRow.created_at, IntentRow.id)
    )
    return list(await session.scalars(query))


async def list_in_flight(session: WriteSession, wallet: Address) -> list[IntentRow]:
    """Those whose nonce is not spent; the others only wait to be concluded."""
    return [each for each in await list_sending(session, wallet) if not is_nonce_spent(each)]


async def list_requested_actions(session: WriteSession, wallet: Address) -> list[OperatorActionRow]:
    """What people want done and no driver has come to yet, oldest first."""
    query = (
        select(OperatorActionRow)
        .where(OperatorActionRow.wallet == wallet, OperatorActionRow.status == ActionStatus.REQUESTED)
        .order_by(OperatorActionRow.requested_at, OperatorActionRow.nonce)
    )
    return list(await session.scalars(query))


async def list_expired(session: WriteSession, wallet: Address, now: datetime) -> list[IntentRow]:
    """Open intents past their deadline that are not given up yet."""
    query = select(IntentRow).where(
        IntentRow.wallet == wallet,
        IntentRow.closed_at.is_(None),
        IntentRow.aborting_as.is_(None),
        IntentRow.expires_at <= now,
    )
    return list(await session.scalars(query.order_by(IntentRow.created_at)))


async def reload_intent(session: AsyncSession, intent_id: UUID) -> IntentRow:
    """The intent with its attempts, as it is now."""
    query = select(IntentRow).where(IntentRow.id == intent_id).options(selectinload(IntentRow.attempts))
    return (await session.scalars(query.execution_options(populate_existing=True))).one()


async def read_intent_facts(session: AsyncSession, intent: IntentRow) -> ActionPreconditions:
    """How the intent stands; it must have been loaded with its attempts."""
    later = exists().where(
        IntentRow.kind == intent.kind,
        IntentRow.request_id == intent.request_id,
        IntentRow.created_at > intent.created_at,
    )
    mined = aliased(AttemptRow)
    used = mined.status.in_((AttemptStatus.MINED, AttemptStatus.FINAL))
    lowest_open_nonce = (
        select(func.min(AttemptRow.nonce))
        .join(IntentRow, IntentRow.id == AttemptRow.intent_id)
        .where(
            AttemptRow.wallet == intent.wallet,
            IntentRow.status == IntentStatus.SENDING,
            AttemptRow.status.in_((AttemptStatus.SIGNED, AttemptStatus.BROADCAST)),
            ~exists().where(mined.wallet == AttemptRow.wallet, mined.nonce == AttemptRow.nonce, used),
        )
    )
    has_later_retry, lowest_nonce = (await session.execute(select(later, lowest_open_nonce.scalar_subquery()))).one()
    attempts = current_attempts(intent) if intent.status is IntentStatus.SENDING else []
    return ActionPreconditions(
        status=intent.status,
        is_aborting=intent.aborting_as is not None,
        nonce=attempts[0].nonce if attempts else None,
        mined_block=next((each.block_number for each in attempts if each.block_number is not None), None),
        lowest_open_nonce=lowest_nonce,
        has_later_retry=bool(has_later_retry),
        has_spending_limits=intent.kind is IntentKind.PLAN_STEP,
    )


async def has_attempts(session: WriteSession, wallet: Address) -> bool:
    query = select(AttemptRow.hash).where(AttemptRow.wallet == wallet).limit(1)
    return (await session.execute(query)).first() is not None


async def list_votes(session: WriteSession, intent: IntentRow) -> tuple[SignedVote, ...]:
    """The votes that carry this intent: those of its ticket with its verdict, as they were signed."""
    if intent.ticket_id is None:
        return ()
    query = (
        select(ApprovalRecordRow)
        .where(ApprovalRecordRow.ticket_id == intent.ticket_id, ApprovalRecordRow.verdict == VERDICT_OF.get(intent.kind))
        .order_by(ApprovalRecordRow.decided_at)
    )
    return tuple(SignedVote(each.typed_data, each.signature) for each in await session.scalars(query))


async def find_plan_name(session: WriteSession, intent: IntentRow) -> str | None:
    """The name of the plan this is a call of, or a Safe's batch for: all of one name count together."""
    if intent.kind is IntentKind.EXECUTE_SAFE:
        this = PlanRow.proposal == intent.request_id.to_bytes(32, "big")
    else:
        this = PlanRow.id.in_(select(PlanCallRow.plan_id).where(PlanCallRow.intent_id == intent.id))
    query = select(PlanRow.name).where(this)
    return (await session.scalars(query)).one_or_none()


def current_attempts(intent: IntentRow) -> list[AttemptRow]:
    """The attempts at the intent's nonce in flight, oldest first. Earlier nonces ended without the effect."""
    nonce = max(each.nonce for each in intent.attempts)
    return [each for each in intent.attempts if each.nonce == nonce]


def is_nonce_spent(intent: IntentRow) -> bool:
    """Whether its nonce is used up for good: by an attempt that is final, or by somebody else, which drops them all."""
    return any(each.status in (AttemptStatus.FINAL, AttemptStatus.DROPPED) for each in current_attempts(intent))


def unacknowledged(in_flight: Sequence[IntentRow]) -> AttemptRow | None:
    """The one attempt, of all that is in flight, that no node has confirmed to hold."""
    return next((each for intent in in_flight for each in intent.attempts if each.status is AttemptStatus.SIGNED), None)
