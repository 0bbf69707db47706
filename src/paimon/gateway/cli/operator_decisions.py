"""What `paimon outbox` and `paimon quarantine` share: sign an operator's decision, record it and show it."""

from pathlib import Path
from typing import Final

from paimon.application.quarantine.queries import RecordedDecision
from paimon.application.quarantine.store import Target, evaluate
from paimon.application.quarantine.submit_decision import SubmitDecision, propose_decision, submit_decision
from paimon.domain.kernel.chain import checksum
from paimon.domain.risk.operator_decision import OperatorDecisionKind
from paimon.gateway.cli.keystore_signing import sign_action
from paimon.gateway.cli.resources import opened_app_context
from paimon.settings import Settings

PROCESS: Final = "operator-decisions"


async def record_decision(
    settings: Settings,
    kind: OperatorDecisionKind,
    target: Target,
    *,
    keystore: Path,
    password_file: Path,
    reason: str,
) -> RecordedDecision:
    """Sign the decision with the keystore, and record it.

    Raises:
        NotPermitted, OutboxMessageNotFound, LogNotFound, DecisionNotPossible, ActionChanged.
    """
    async with opened_app_context(settings, process=PROCESS) as app_context:
        async with app_context.database.read() as session:
            proposed = propose_decision(kind, await evaluate(session, kind, target))
        request = await sign_action(app_context, proposed, keystore=keystore, password_file=password_file, reason=reason)
        return await submit_decision(SubmitDecision(kind, target, request), app_context.signing)


def decision_line(decision: RecordedDecision) -> str:
    """Return `2026-01-31 12:00 skip_log by 0x…: reason (outcome)`, indented."""
    what = f"{decision.requested_at:%Y-%m-%d %H:%M} {decision.kind} by {checksum(decision.requested_by)}: {decision.reason}"
    return f"    {what} ({decision.outcome or 'not applied yet'})"
