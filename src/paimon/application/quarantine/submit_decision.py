"""Submission of an operator's decision: an outbox message becomes due again, a log waits for the next replay.

Checked are, in this order and each with an error of its own: the target exists; the signature has the right form; its expiry is
in the future, and not too far; its nonce was never used; the signed-in wallet made it over exactly this decision; the user has
the permission; the decision is possible now. On the command line no signature is made: the user is named, and must have the
permission.
"""

from dataclasses import dataclass
from typing import Any, Final

import structlog

from paimon.application.common.signed_action import SignedAction, verify_signed_action
from paimon.application.common.signing_rules import SigningRules
from paimon.application.identity.permissions import require_permission
from paimon.application.quarantine.queries import RecordedDecision, recorded_decision
from paimon.application.quarantine.store import (
    EvaluatedTarget,
    OutboxMessageRef,
    Target,
    evaluate,
    is_nonce_used,
    new_decision,
    replay_message,
    save_decision,
)
from paimon.domain.kernel.chain import checksum
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.risk.operator_decision import DecisionNotPossible, OperatorDecisionKind, decision_document
from paimon.domain.user.roles import Permission, User
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database, WriteSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)

APPLY_QUARANTINE_DECISIONS: Final = "apply_quarantine_decisions"
"""Kind of the outbox message about decisions on logs: replay with them."""

REQUIRED_PERMISSIONS: Final[dict[OperatorDecisionKind, Permission]] = {
    OperatorDecisionKind.REPLAY_MESSAGE: Permission.REPLAY_MESSAGES,
    OperatorDecisionKind.RELEASE_LOG: Permission.HANDLE_QUARANTINE,
    OperatorDecisionKind.SKIP_LOG: Permission.HANDLE_QUARANTINE,
}


@dataclass(frozen=True, slots=True)
class SubmitDecision:
    """A user's decision about a target; `signed` is None on the command line."""

    kind: OperatorDecisionKind
    target: Target
    user: User
    reason: str
    signed: SignedAction | None = None


async def submit_decision(command: SubmitDecision, *, database: Database, rules: SigningRules) -> RecordedDecision:
    """Record a decision and queue what applies it; return the decision as it was recorded.

    Raises:
        OutboxMessageNotFound, LogNotFound, MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch, NotPermitted,
        DecisionNotPossible.
    """
    async with database.write() as session:
        evaluated = await evaluate(session, command.kind, command.target, lock=True)
        evidence = {} if command.signed is None else await _verify(session, command, command.signed, evaluated, rules)
        require_permission(command.user, REQUIRED_PERMISSIONS[command.kind])
        if evaluated.rejection_reason is not None:
            raise DecisionNotPossible(evaluated.rejection_reason)
        decision = new_decision(
            command.kind,
            evaluated,
            reason=command.reason,
            requested_by=command.user.address,
            evidence=evidence,
        )
        if isinstance(command.target, OutboxMessageRef):
            await replay_message(session, decision)
        else:
            await outbox.add(session, APPLY_QUARANTINE_DECISIONS, evaluated.target.name, priority=OutboxPriority.REPORTS)
        await save_decision(session, decision)
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
        nonce_used=await is_nonce_used(session, terms.nonce),
    )
    return {
        "nonce": terms.nonce,
        "expires_at": terms.expires_at,
        "typed_data": evidence.document,
        "signature": evidence.signature,
    }
