"""One person's remedy, written down: a reaction is due again at once, a log waits for the next rebuild of the books.

What is checked, in this order, each with an exception of its own: what it is about exists; the signature is one; its expiry
lies ahead, and not too far; its nonce was never used; it was made by the signed-in wallet over exactly this; that person may;
it makes sense now. At a terminal of the house nobody signs: whoever asks there is named, and must be a user who may.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import select, update

from paimon.application.common.signed_action import NonceUsed, SignerMismatch
from paimon.application.identity.users import require_permission
from paimon.application.quarantine.store import EvaluatedTarget, Target, evaluate
from paimon.domain.kernel.chain import Hash32, checksum
from paimon.domain.kernel.eip712 import SigningScope, require_valid_expiry
from paimon.domain.risk.operator_decision import (
    DecisionNotPossible,
    DecisionSubject,
    OperatorDecisionKind,
    OperatorDecisionStatus,
    decision_document,
)
from paimon.domain.user.roles import Permission, User
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow, OutboxPriority
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.keys.signatures import parse_signature, recover_typed
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)

APPLY_QUARANTINE_DECISIONS: Final = "apply_quarantine_decisions"
"""The reaction to decisions about logs: rebuild the books with them."""

REQUIRED_PERMISSIONS: Final[dict[OperatorDecisionKind, Permission]] = {
    OperatorDecisionKind.REPLAY_MESSAGE: Permission.REPLAY_MESSAGES,
    OperatorDecisionKind.RELEASE_LOG: Permission.HANDLE_QUARANTINE,
    OperatorDecisionKind.SKIP_LOG: Permission.HANDLE_QUARANTINE,
}


@dataclass(frozen=True, slots=True)
class SignedFields:
    """The free parts of the typed data somebody signed, and where it counts."""

    nonce: Hash32
    expires_at: datetime
    signature: str
    scope: SigningScope
    ttl_seconds_max: int


@dataclass(frozen=True, slots=True)
class SubmitDecision:
    kind: OperatorDecisionKind
    target: Target
    user: User
    reason: str
    signed: SignedFields | None = None


async def submit_decision(command: SubmitDecision, *, database: Database) -> OperatorDecisionRow:
    """The remedy as it was written down.

    Raises:
        OutboxMessageNotFound, LogNotFound, MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch, NotPermitted,
        DecisionNotPossible.
    """
    async with database.write() as session:
        evaluated = await evaluate(session, command.kind, command.target, lock=True)
        signed = {} if command.signed is None else await _signed(session, command, evaluated.subject, command.signed)
        require_permission(command.user, REQUIRED_PERMISSIONS[command.kind])
        if evaluated.rejection_reason is not None:
            raise DecisionNotPossible(evaluated.rejection_reason)
        decision = OperatorDecisionRow(
            kind=command.kind,
            problem=evaluated.subject.problem,
            reason=command.reason,
            requested_by=command.user.address,
            **evaluated.columns,
            **signed,
        )
        await _begin(session, decision, evaluated)
        session.add(decision)
        await session.flush()
        await session.refresh(decision)
    log.info(
        "operator_decision.requested",
        decision=decision.id,
        kind=decision.kind,
        subject=evaluated.subject.name,
        by=checksum(decision.requested_by),
        signed=command.signed is not None,
        reason=decision.reason,
    )
    return decision


async def _signed(
    session: WriteSession, command: SubmitDecision, subject: DecisionSubject, fields: SignedFields
) -> dict[str, Any]:
    signature = parse_signature(fields.signature)
    require_valid_expiry(fields.expires_at, now=await database_now(session), ttl_seconds_max=fields.ttl_seconds_max)
    used = select(OperatorDecisionRow.id).where(OperatorDecisionRow.nonce == fields.nonce)
    if (await session.execute(used)).first() is not None:
        raise NonceUsed("this nonce was used before; a signature counts once")
    document = decision_document(
        command.kind, subject, command.reason, nonce=fields.nonce, expires_at=fields.expires_at, scope=fields.scope
    )
    if recover_typed(document, signature) != command.user.address:
        raise SignerMismatch(
            f"the signature is not {checksum(command.user.address)}'s over this remedy, subject, reason, nonce and expiry"
        )
    return {"nonce": fields.nonce, "expires_at": fields.expires_at, "typed_data": document, "signature": signature}


async def _begin(session: WriteSession, decision: OperatorDecisionRow, evaluated: EvaluatedTarget) -> None:
    if decision.outbox_id is None:
        await outbox.add(session, APPLY_QUARANTINE_DECISIONS, evaluated.subject.name, priority=OutboxPriority.REPORTS)
        return
    now = await database_now(session)
    again = {"dead_lettered_at": None, "attempts": 0, "enqueued_at": None, "available_at": now}
    await session.execute(update(OutboxMessageRow).where(OutboxMessageRow.id == decision.outbox_id).values(again))
    await outbox.notify(session)
    decision.status, decision.outcome, decision.ended_at = OperatorDecisionStatus.DONE, "due again", now
