"""What `paimon outbox` and `paimon quarantine` share: record an operator's decision and show it."""

from typing import Annotated, Final

import typer

from paimon.application.identity.signed_users import find_user
from paimon.application.quarantine.queries import RecordedDecision
from paimon.application.quarantine.store import Target
from paimon.application.quarantine.submit_decision import SubmitDecision, submit_decision
from paimon.composition import signing_rules
from paimon.domain.kernel.chain import checksum
from paimon.domain.risk.operator_decision import OperatorDecisionKind
from paimon.gateway.cli.process import address_argument, exit_with_message
from paimon.gateway.cli.resources import opened_database
from paimon.settings import Settings

DecidedBy = Annotated[str, typer.Option(help="The address of the user who decides.")]
Reason = Annotated[str, typer.Option(help="The reason, kept with the decision.")]

PROCESS: Final = "operator-decisions"


async def record_decision(
    settings: Settings, kind: OperatorDecisionKind, target: Target, *, by: str, reason: str
) -> RecordedDecision:
    """Record the decision of the user with this address.

    Raises:
        NotPermitted, OutboxMessageNotFound, LogNotFound, DecisionNotPossible.
    """
    if not reason.strip():
        exit_with_message("--reason is empty: give the reason; it is kept with the decision")
    wallet = address_argument(by)
    async with opened_database(settings, process=PROCESS) as database:
        async with database.read() as session:
            user = await find_user(session, wallet, signing_rules(settings).scope)
        if user is None:
            exit_with_message(f"{checksum(wallet)} is not a user: `paimon users add` adds one")
        command = SubmitDecision(kind, target, user, reason)
        return await submit_decision(command, database=database, rules=signing_rules(settings))


def decision_line(decision: RecordedDecision) -> str:
    """Return `2026-01-31 12:00 skip_log by 0x…: reason (outcome)`, indented."""
    what = f"{decision.requested_at:%Y-%m-%d %H:%M} {decision.kind} by {checksum(decision.requested_by)}: {decision.reason}"
    return f"    {what} ({decision.outcome or 'not applied yet'})"
