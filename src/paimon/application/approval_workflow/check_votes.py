"""Take votes that do not verify out of the tickets that are not closed: mark each, report it, and count the others again.

A marked vote counts nowhere: not here, not in the trigger that follows the votes, and it is not sent to the signer. Only a
worker may mark, and no worker may add a vote. A ticket that such a vote decided takes votes again.
"""

import structlog

from paimon.application.approval_tickets.store import lock_unclosed, mark_invalid, save_outcome
from paimon.application.approval_workflow.verify_votes import invalid_reason, verify_votes
from paimon.application.risk_control.record_findings import record_facts
from paimon.domain.approval.ticket import Ticket, Vote
from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)


async def check_votes(session: WriteSession, scope: SigningScope, *, block: int) -> list[Finding]:
    """Return what was found: one critical finding for each vote that is marked now."""
    findings: list[Finding] = []
    for ticket in await lock_unclosed(session):
        checked = verify_votes(ticket, scope)
        for vote in checked.invalid_votes[len(ticket.invalid_votes) :]:
            finding = _finding(ticket, vote, invalid_reason(ticket, vote, scope) or "")
            await mark_invalid(session, vote, finding.observed)
            findings.append(finding)
        if checked.status is not ticket.status:
            await save_outcome(session, checked)
            log.critical("ticket.reopened", ticket_id=ticket.id, before=ticket.status, status=checked.status)
    await record_facts(session, findings, block=block)
    return findings


def _finding(ticket: Ticket, vote: Vote, reason: str) -> Finding:
    subject = f"vote {vote.verdict} of {checksum(vote.voter)} on ticket {ticket.id}"
    return Finding(RiskKind.INVALID_VOTE, subject, reason, "a signature of the voter over this decision", Severity.CRITICAL)
