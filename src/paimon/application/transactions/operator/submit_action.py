"""Submit an operator's signed action: speed up, cancel or retry an intent, or clear a wallet's fault.

The checks, in this order, each with an exception of its own: the target exists; those of every signed action
(identity/accept_action.py), the last of which is that the action is possible now; no other action on the target is requested.
Only the action's row is written here, and the wallet's driver is woken. The driver checks once more under the wallet's lock,
and carries the action out (driver/operator_actions.py).
"""

from dataclasses import dataclass
from uuid import UUID

import structlog

from paimon.application.common.signed_action import ProposedAction
from paimon.application.identity.accept_action import SignedRequest, SigningContext, accept_action
from paimon.application.transactions.intents import DRIVE_WALLET
from paimon.application.transactions.operator.queries import RecordedAction, get_intent, get_wallet
from paimon.application.transactions.operator.store import insert_action
from paimon.application.transactions.store import read_preconditions
from paimon.domain.kernel.chain import Address, checksum
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.transaction.operator_action import (
    ActionKind,
    ActionNotPossible,
    ActionTarget,
    action_content,
    rejection_reason,
)
from paimon.domain.user.roles import Permission
from paimon.infrastructure.database.sessions import ReadSession, WriteSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SubmitAction:
    """The signed-in user's request: the action, its target, and the signature."""

    kind: ActionKind
    target_id: UUID | Address
    request: SignedRequest


async def submit_action(command: SubmitAction, context: SigningContext) -> RecordedAction:
    """Verify and store the action, and wake the driver of its wallet.

    Raises:
        IntentNotFound, WalletNotFound, MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch, NotPermitted,
        ActionChanged, ActionNotPossible, RpcUnavailable.
    """
    kind, request = command.kind, command.request
    async with context.database.write() as session:  # on the primary: a replica may lag behind
        _target, proposed = await propose_operator_action(session, kind, command.target_id)
    accepted = await accept_action(request, proposed, context)
    async with context.database.write() as session:
        target, proposed = await propose_operator_action(session, kind, command.target_id)
        await accepted.record(session, proposed)
        action = await insert_action(session, kind, target, request.reason, accepted.evidence)
        if action is None:
            raise ActionNotPossible("another action on the target is requested; wait until the driver has carried it out")
        await outbox.add(session, DRIVE_WALLET, checksum(target.wallet), priority=OutboxPriority.CHAIN)
    log.info(
        "operator_action.requested",
        kind=action.kind,
        target=action.target,
        by=checksum(request.user.address),
        reason=action.reason,
    )
    return action


async def propose_operator_action(
    session: ReadSession | WriteSession, kind: ActionKind, target_id: UUID | Address
) -> tuple[ActionTarget, ProposedAction]:
    """Return the action's target, and what a person signs for the action.

    Raises:
        IntentNotFound, WalletNotFound.
    """
    if isinstance(target_id, UUID):
        intent = await get_intent(session, target_id)
        target = ActionTarget(intent.wallet, intent.id, intent.idempotency_key)
        reason = rejection_reason(kind, await read_preconditions(session, intent))
    else:
        wallet = await get_wallet(session, target_id)
        target = ActionTarget(target_id, None, wallet.fault or "")
        reason = None if wallet.fault else "the wallet has no fault"
    rejection = None if reason is None else ActionNotPossible(reason)
    return target, ProposedAction(action_content(kind, target), Permission.HANDLE_TRANSACTIONS, rejection)
