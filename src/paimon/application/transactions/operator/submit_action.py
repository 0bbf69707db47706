"""One person's signed wish to the desk: speed up, cancel, try again, or take a wallet's trouble off its row.

What is checked, in this order, each with an exception of its own: what it is about exists; the signature is one; its expiry
lies ahead, and not too far; its nonce was never used; it was made by the signed-in wallet over exactly this; that person may;
it makes sense now, and no other wish about the same waits. Only the wish is written here, and the wallet's driver is woken;
the driver judges once more, under the wallet's lock, and does it (transactions/deeds.py).
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.common.signed_action import NonceUsed, SignerMismatch
from paimon.application.identity.users import require_permission
from paimon.application.transactions.intents import DRIVE_WALLET
from paimon.application.transactions.operator.queries import get_intent, get_wallet
from paimon.application.transactions.store import read_intent_facts
from paimon.domain.kernel.chain import Address, Hash32, checksum
from paimon.domain.kernel.eip712 import SigningScope, require_valid_expiry
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
from paimon.infrastructure.database.models.ops.outbox import OutboxPriority
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.keys.signatures import parse_signature, recover_typed
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SubmitAction:
    """What the signed-in user sent: the deed, what it is about, and the free parts of the typed data they signed."""

    kind: ActionKind
    target_id: UUID | Address
    user: User
    reason: str
    nonce: Hash32
    expires_at: datetime
    signature: str


async def submit_action(
    command: SubmitAction, *, database: Database, scope: SigningScope, ttl_seconds_max: int
) -> OperatorActionRow:
    """The wish as it was written down.

    Raises:
        IntentNotFound, WalletNotFound, MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch, NotPermitted,
        ActionNotPossible.
    """
    async with database.write() as session:
        target, reason = await evaluate_action(session, command.kind, command.target_id)
        signature = parse_signature(command.signature)
        require_valid_expiry(command.expires_at, now=await database_now(session), ttl_seconds_max=ttl_seconds_max)
        if await session.get(OperatorActionRow, command.nonce) is not None:
            raise NonceUsed("this nonce was used before; a signature counts once")
        document = action_document(
            command.kind, target, command.reason, nonce=command.nonce, expires_at=command.expires_at, scope=scope
        )
        if recover_typed(document, signature) != command.user.address:
            raise SignerMismatch(
                f"the signature is not {checksum(command.user.address)}'s over this deed, subject, reason, nonce and expiry"
            )
        require_permission(command.user, Permission.HANDLE_TRANSACTIONS)
        if reason is not None:
            raise ActionNotPossible(reason)
        action = await _insert_action(session, command, target, document=document, signature=signature)
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


async def _insert_action(
    session: WriteSession, command: SubmitAction, target: ActionTarget, *, document: dict[str, object], signature: bytes
) -> OperatorActionRow:
    # Whoever asks the same at the same moment waits here for the other's commit, and then finds a wish or a nonce in the way.
    inserted = await session.execute(
        insert(OperatorActionRow)
        .values(
            nonce=command.nonce,
            kind=command.kind,
            wallet=target.wallet,
            intent_id=target.intent_id,
            target=target.target,
            reason=command.reason,
            requested_by=command.user.address,
            typed_data=document,
            signature=signature,
            expires_at=command.expires_at,
        )
        .on_conflict_do_nothing()
        .returning(OperatorActionRow.nonce)
    )
    if inserted.scalar_one_or_none() is None:
        raise ActionNotPossible("another wish about the same waits to be carried out; see what becomes of it first")
    return (await session.scalars(select(OperatorActionRow).where(OperatorActionRow.nonce == command.nonce))).one()
