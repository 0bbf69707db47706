"""Submission of an operator's decision: an outbox message becomes due again, a log waits for the next replay.

Checked are, in this order and each with an error of its own: the target exists; what every signed action is checked for
(identity/accept_action.py), the last of which is that the decision is possible now.
"""

from dataclasses import dataclass
from typing import Final

import structlog

from paimon.application.common.signed_action import ProposedAction
from paimon.application.identity.accept_action import SignedRequest, SigningContext, accept_action
from paimon.application.quarantine.queries import RecordedDecision, recorded_decision
from paimon.application.quarantine.store import (
    EvaluatedTarget,
    OutboxMessageRef,
    Target,
    evaluate,
    new_decision,
    replay_message,
    save_decision,
)
from paimon.domain.kernel.chain import checksum
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.risk.operator_decision import DecisionNotPossible, OperatorDecisionKind, decision_content
from paimon.domain.user.roles import Permission
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
    """A user's decision about a target, with the signature over it."""

    kind: OperatorDecisionKind
    target: Target
    request: SignedRequest


async def submit_decision(command: SubmitDecision, context: SigningContext) -> RecordedDecision:
    """Record a decision and queue what applies it; return the decision as it was recorded.

    Raises:
        OutboxMessageNotFound, LogNotFound, MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch, NotPermitted,
        ActionChanged, DecisionNotPossible, RpcUnavailable.
    """
    kind, request = command.kind, command.request
    async with context.database.write() as session:  # on the primary: a replica may lag behind
        proposed = propose_decision(kind, await evaluate(session, kind, command.target))
    accepted = await accept_action(request, proposed, context)
    async with context.database.write() as session:
        evaluated = await evaluate(session, kind, command.target, lock=True)
        await accepted.record(session, propose_decision(kind, evaluated))
        decision = new_decision(kind, evaluated, request.reason, accepted.evidence)
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
        reason=decision.reason,
    )
    return recorded_decision(decision)


def propose_decision(kind: OperatorDecisionKind, evaluated: EvaluatedTarget) -> ProposedAction:
    """Return what a person signs for the decision, as its target is now."""
    reason = evaluated.rejection_reason
    rejection = None if reason is None else DecisionNotPossible(reason)
    return ProposedAction(decision_content(kind, evaluated.target), REQUIRED_PERMISSIONS[kind], rejection)
