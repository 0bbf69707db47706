"""Rows of wallets, intents and attempts, as sending reads them.

Everything about a wallet's intents is changed under the lock on its row. The lock is FOR NO KEY UPDATE: a plain FOR
UPDATE would make every new intent, whose foreign key takes a key-share lock on the wallet, wait for the driver.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from paimon.domain.approval import Verdict
from paimon.domain.chain import Address, Hash32
from paimon.domain.signing import SignedVote
from paimon.domain.transaction import AttemptStatus, IntentKind, IntentStatus
from paimon.infrastructure.database.models.owned import ApprovalRecord, TransactionAttempt, TransactionIntent, Wallet
from paimon.infrastructure.database.sessions import WriteSession

VERDICT_OF = {IntentKind.APPROVE_REDEMPTION: Verdict.APPROVE, IntentKind.REJECT_REDEMPTION: Verdict.REJECT}


async def lock_wallet(session: WriteSession, address: Address) -> tuple[Wallet, datetime] | None:
    """The wallet's row, ours until the transaction ends, and the time; None when another driver has it, or none was queued."""
    query = select(Wallet, func.now()).where(Wallet.address == address).with_for_update(key_share=True, skip_locked=True)
    found = (await session.execute(query)).one_or_none()
    return None if found is None else (found[0], found[1])


async def find_unacknowledged(session: WriteSession, wallet: Address) -> TransactionAttempt | None:
    """The one attempt that is signed and that no node has confirmed to hold."""
    query = select(TransactionAttempt).where(
        TransactionAttempt.wallet == wallet, TransactionAttempt.status == AttemptStatus.SIGNED
    )
    return (await session.scalars(query)).one_or_none()


async def lock_attempt(session: WriteSession, attempt_hash: Hash32) -> TransactionAttempt:
    query = select(TransactionAttempt).where(TransactionAttempt.hash == attempt_hash).with_for_update()
    return (await session.scalars(query)).one()


async def list_sending(session: WriteSession, wallet: Address) -> list[TransactionIntent]:
    """Intents in flight with all their attempts, oldest first."""
    query = (
        select(TransactionIntent)
        .where(TransactionIntent.wallet == wallet, TransactionIntent.status == IntentStatus.SENDING)
        .options(selectinload(TransactionIntent.attempts))
        .order_by(TransactionIntent.created_at, TransactionIntent.id)
    )
    return list(await session.scalars(query))


async def find_due(session: WriteSession, wallet: Address, now: datetime) -> TransactionIntent | None:
    """The oldest intent that waits to be sent and whose next check has come."""
    query = (
        select(TransactionIntent)
        .where(
            TransactionIntent.wallet == wallet,
            TransactionIntent.status.in_((IntentStatus.QUEUED, IntentStatus.SIMULATED)),
            TransactionIntent.next_check_at <= now,
        )
        .order_by(TransactionIntent.created_at, TransactionIntent.id)
        .limit(1)
    )
    return (await session.scalars(query)).one_or_none()


async def has_attempts(session: WriteSession, wallet: Address) -> bool:
    query = select(TransactionAttempt.hash).where(TransactionAttempt.wallet == wallet).limit(1)
    return (await session.execute(query)).first() is not None


async def list_votes(session: WriteSession, intent: TransactionIntent) -> tuple[SignedVote, ...]:
    """The votes that carry this intent: those of its ticket with its verdict, as they were signed."""
    if intent.ticket_id is None:
        return ()
    query = (
        select(ApprovalRecord)
        .where(ApprovalRecord.ticket_id == intent.ticket_id, ApprovalRecord.verdict == VERDICT_OF.get(intent.kind))
        .order_by(ApprovalRecord.decided_at)
    )
    return tuple(SignedVote(each.typed_data, each.signature) for each in await session.scalars(query))


def call_attempts(intent: TransactionIntent) -> list[TransactionAttempt]:
    """The attempts at the intent's nonce in flight, oldest first. Earlier nonces ended without the effect."""
    nonce = max(each.nonce for each in intent.attempts)
    return [each for each in intent.attempts if each.nonce == nonce]


def unacknowledged(in_flight: Sequence[TransactionIntent]) -> TransactionAttempt | None:
    """The one attempt, of all that is in flight, that no node has confirmed to hold."""
    return next((each for intent in in_flight for each in intent.attempts if each.status is AttemptStatus.SIGNED), None)
