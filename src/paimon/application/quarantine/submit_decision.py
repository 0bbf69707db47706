"""One person's remedy, written down: a reaction is due again at once, a log waits for the next rebuild of the books.

What is checked, in this order, each with an exception of its own: what it is about exists; the signature is one; its expiry
lies ahead, and not too far; its nonce was never used; it was made by the signed-in wallet over exactly this; that person may;
it makes sense now. At a terminal of the house nobody signs: whoever asks there is named, and must be a user who may.
"""

from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import select, update

from paimon.application.common.signed_action import SignedAction, SigningRules, verify_signed_action
from paimon.application.identity.permissions import require_permission
from paimon.application.quarantine.queries import RecordedDecision, recorded_decision
from paimon.application.quarantine.store import EvaluatedTarget, Target, evaluate
from paimon.domain.kernel.chain import Hash32, checksum
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.risk.operator_decision import (
    DecisionNotPossible,
    OperatorDecisionKind,
    OperatorDecisionStatus,
    decision_document,
)
from paimon.domain.user.roles import Permission, User
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.outbox import OutboxMessageRow
from paimon.infrastructure.database.models.ops.quarantine import OperatorDecisionRow
from paimon.infrastructure.database.sessions import Database, WriteSession
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
class SubmitDecision:
    kind: OperatorDecisionKind
    target: Target
    user: User
    reason: str
    signed: SignedAction | None = None


async def submit_decision(command: SubmitDecision, *, database: Database, rules: SigningRules) -> RecordedDecision:
    """The remedy as it was written down.

    Raises:
        OutboxMessageNotFound, LogNotFound, MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch, NotPermitted,
        DecisionNotPossible.
    """
    async with database.write() as session:
        evaluated = await evaluate(session, command.kind, command.target, lock=True)
        signed = {} if command.signed is None else await _verify(session, command, command.signed, evaluated, rules)
        require_permission(command.user, REQUIRED_PERMISSIONS[command.kind])
        if evaluated.rejection_reason is not None:
            raise DecisionNotPossible(evaluated.rejection_reason)
        decision = OperatorDecisionRow(
            kind=command.kind,
            problem=evaluated.target.problem,
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
        target=evaluated.target.name,
        by=checksum(decision.requested_by),
        signed=command.signed is not None,
        reason=decision.reason,
    )
    return recorded_decision(decision)


async def _verify(
    session: WriteSession, command: SubmitDecision, signed: SignedAction, evaluated: EvaluatedTarget, rules: SigningRules
) -> dict[str, Any]:
    """Return the columns that keep the evidence of the signature."""
    terms = signed.terms
    evidence = verify_signed_action(
        signed,
        decision_document(command.kind, evaluated.target, command.reason, terms, rules.scope),
        signer=command.user.address,
        now=await database_now(session),
        rules=rules,
        nonce_used=await _nonce_is_used(session, terms.nonce),
    )
    return {
        "nonce": terms.nonce,
        "expires_at": terms.expires_at,
        "typed_data": evidence.document,
        "signature": evidence.signature,
    }


async def _nonce_is_used(session: WriteSession, nonce: Hash32) -> bool:
    query = select(OperatorDecisionRow.id).where(OperatorDecisionRow.nonce == nonce)
    return (await session.execute(query)).first() is not None


async def _begin(session: WriteSession, decision: OperatorDecisionRow, evaluated: EvaluatedTarget) -> None:
    if decision.outbox_id is None:
        await outbox.add(session, APPLY_QUARANTINE_DECISIONS, evaluated.target.name, priority=OutboxPriority.REPORTS)
        return
    now = await database_now(session)
    again = {"dead_lettered_at": None, "attempts": 0, "enqueued_at": None, "available_at": now}
    await session.execute(update(OutboxMessageRow).where(OutboxMessageRow.id == decision.outbox_id).values(again))
    await outbox.notify(session)
    decision.status, decision.outcome, decision.ended_at = OperatorDecisionStatus.DONE, "due again", now
