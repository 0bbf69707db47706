"""Submit an operator's signed action: speed up, cancel or retry an intent, or clear a wallet's fault.

The checks, in this order, each with an exception of its own: the target exists; the signature is well formed; its expiry is
ahead, and not too far; its nonce is unused; the signed-in wallet made it over exactly this action; the user has the
permission; the action is possible now, and no other action on the target is requested. Only the action's row is written here,
and the wallet's driver is woken. The driver checks once more under the wallet's lock, and carries the action out
(driver/operator_actions.py).
"""

from dataclasses import dataclass
from uuid import UUID

import structlog

from paimon.application.common.signed_action import SignedAction, verify_signed_action
from paimon.application.common.signing_rules import SigningRules
from paimon.application.identity.permissions import require_permission
from paimon.application.transactions.intents import DRIVE_WALLET
from paimon.application.transactions.operator.queries import RecordedAction, get_intent, get_wallet
from paimon.application.transactions.operator.store import insert_action, is_nonce_used
from paimon.application.transactions.store import read_preconditions
from paimon.domain.kernel.chain import Address, checksum
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
from paimon.infrastructure.database.sessions import Database, ReadSession, WriteSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SubmitAction:
    """The signed-in user's request: the action, its target, and the free parts of the typed data that they signed."""

    kind: ActionKind
    target_id: UUID | Address
    user: User
    reason: str
    signed: SignedAction


async def submit_action(command: SubmitAction, *, database: Database, rules: SigningRules) -> RecordedAction:
    """Verify and store the action, and wake the driver of its wallet.

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
            nonce_used=await is_nonce_used(session, terms.nonce),
        )
        require_permission(command.user, Permission.HANDLE_TRANSACTIONS)
        if reason is not None:
            raise ActionNotPossible(reason)
        action = await insert_action(session, command.kind, target, command.reason, evidence)
        if action is None:
            raise ActionNotPossible("another action on the target is requested; wait until the driver has carried it out")
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
    session: ReadSession | WriteSession, kind: ActionKind, target_id: UUID | Address
) -> tuple[ActionTarget, str | None]:
    """Return the action's target, and the reason why the action is not possible now; None if it is.

    Raises:
        IntentNotFound, WalletNotFound.
    """
    if isinstance(target_id, UUID):
        intent = await get_intent(session, target_id)
        target = ActionTarget(intent.wallet, intent.id, intent.idempotency_key)
        return target, rejection_reason(kind, await read_preconditions(session, intent))
    wallet = await get_wallet(session, target_id)
    return ActionTarget(target_id, None, wallet.fault or ""), None if wallet.fault else "the wallet has no fault"
