"""One person's signed wish to the desk: speed up, cancel, try again, or take a wallet's trouble off its row.

What is checked, in this order, each with an exception of its own: what it is about exists; the signature is one; its expiry
lies ahead, and not too far; its nonce was never used; it was made by the signed-in wallet over exactly this; that person may;
it makes sense now, and no other wish about the same waits. Only the wish is written here, and the wallet's driver is woken;
the driver judges once more, under the wallet's lock, and does it (transactions/deeds.py).
"""

from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.common.signed_action import SignatureEvidence, SignedAction, SigningRules, verify_signed_action
from paimon.application.identity.users import require_permission
from paimon.application.transactions.intents import DRIVE_WALLET
from paimon.application.transactions.operator.queries import get_intent, get_wallet
from paimon.application.transactions.store import read_intent_facts
from paimon.domain.kernel.chain import Address, Hash32, checksum
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.transaction.operator_action import (
    ActionKind,
    ActionNotPossible,
    ActionTarget,
    action_document,
    rejection_reason,
)
from paimon.domain.user.roles import Permission, User
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.operator_action import OperatorActionRow
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SubmitAction:
    """What the signed-in user sent: the deed, what it is about, and the free parts of the typed data they signed."""

    kind: ActionKind
    target_id: UUID | Address
    user: User
    reason: str
    signed: SignedAction


async def submit_action(command: SubmitAction, *, database: Database, rules: SigningRules) -> OperatorActionRow:
    """The wish as it was written down.

    Raises:
        IntentNotFound, WalletNotFound, MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch, NotPermitted,
        ActionNotPossible.
    """
    async with database.write() as session:
        target, reason = await evaluate_action(session, command.kind, command.target_id)
        terms = command.signed.terms
        evidence = verify_signed_action(
            command.signed,
            action_document(command.kind, target, command.reason, terms, rules.scope),
            signer=command.user.address,
            now=await database_now(session),
            rules=rules,
            nonce_used=await _nonce_is_used(session, terms.nonce),
        )
        require_permission(command.user, Permission.HANDLE_TRANSACTIONS)
        if reason is not None:
            raise ActionNotPossible(reason)
        action = await _insert_action(session, command, target, evidence)
        await outbox.add(session, DRIVE_WALLET, checksum(target.wallet), priority=OutboxPriority.CHAIN)
    log.info(
        "operator_action.requested",
        kind=action.kind,
        target=action.target,
        by=checksum(command.user.address),
        reason=action.reason,
    )
    return action


async def evaluate_action(
    session: AsyncSession, kind: ActionKind, target_id: UUID | Address
) -> tuple[ActionTarget, str | None]:
    """What the deed would be done to, and why it makes no sense now, if it does not. Raises IntentNotFound, WalletNotFound."""
    if isinstance(target_id, UUID):
        intent = await get_intent(session, target_id)
        target = ActionTarget(Address(intent.wallet), intent.id, intent.idempotency_key)
        return target, rejection_reason(kind, await read_intent_facts(session, intent))
    wallet = await get_wallet(session, target_id)
    return ActionTarget(target_id, None, wallet.fault or ""), None if wallet.fault else "the wallet is in no trouble"


async def _nonce_is_used(session: WriteSession, nonce: Hash32) -> bool:
    return await session.get(OperatorActionRow, nonce) is not None


async def _insert_action(
    session: WriteSession, command: SubmitAction, target: ActionTarget, evidence: SignatureEvidence
) -> OperatorActionRow:
    # Whoever asks the same at the same moment waits here for the other's commit, and then finds a wish or a nonce in the way.
    inserted = await session.execute(
        insert(OperatorActionRow)
        .values(
            nonce=evidence.terms.nonce,
            kind=command.kind,
            wallet=target.wallet,
            intent_id=target.intent_id,
            target=target.target,
            reason=command.reason,
            requested_by=evidence.signer,
            typed_data=evidence.document,
            signature=evidence.signature,
            expires_at=evidence.terms.expires_at,
        )
        .on_conflict_do_nothing()
        .returning(OperatorActionRow.nonce)
    )
    if inserted.scalar_one_or_none() is None:
        raise ActionNotPossible("another wish about the same waits to be carried out; see what becomes of it first")
    return (await session.scalars(select(OperatorActionRow).where(OperatorActionRow.nonce == evidence.terms.nonce))).one()
