"""Declare an emergency when the level is CRITICAL, and advance the open one by what is due.

Each transition is one transaction: the emergency with its steps, its timeline, the risk event that alerts people, and the
message that tells watchers. What a crash interrupts has not happened, and the next look does it. Two looks at once wait for
each other, and there is one open emergency at most, by a constraint of the database. What people decide is in the emergency
at once, and in the risk event from the next look on.
"""

from datetime import timedelta
from typing import Final

import structlog

from paimon.application.emergency.observe import EmergencyContext, evidence_of, look
from paimon.application.emergency.queries import list_left_proposals
from paimon.application.emergency.store import find_last_real, insert_emergency, lock_open, save_answered, save_emergency
from paimon.application.fund_risk.store import StoredAssessment, find_assessment
from paimon.application.nav.store import find_newest_snapshot
from paimon.application.risk_control.queries import list_unresolved
from paimon.application.risk_control.record_findings import record_check_results
from paimon.application.risk_control.store import lock_findings
from paimon.domain.kernel.chain import hex0x
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.risk.emergency import (
    ENDED,
    Advanced,
    Emergency,
    EmergencyState,
    EntryKind,
    StepStatus,
    TimelineEntry,
    advance,
    is_due,
    stand_down,
)
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)

EMERGENCY: Final = "emergency"
"""Kind of the outbox message that tells watchers of an emergency that changed."""

_TRANSITIONS_MAX: Final = 2 * len(EmergencyState)
"""A look takes no more transitions at once; the next look takes the rest."""


async def advance_emergency(context: EmergencyContext) -> None:
    """Advance the open emergency, or declare one, until nothing more is due now."""
    for _ in range(_TRANSITIONS_MAX):
        if not await advance_once(context):
            return


async def advance_once(context: EmergencyContext) -> bool:
    """Take one transition. Report whether anything changed."""
    async with context.database.write() as session:
        await lock_findings(session)  # before the emergency: who locks both takes them in this order
        before = await lock_open(session)
        # Read under the locks: what was seen before another look would repeat what that look has answered.
        assessment, snapshot = await find_assessment(session), await find_newest_snapshot(session)
        if assessment is None or snapshot is None:
            return False
        after = await _advanced(session, before, snapshot, assessment, context)
        await _record_event(session, after, block=snapshot.at.number)
    return after != before


async def _advanced(
    session: WriteSession,
    emergency: Emergency | None,
    snapshot: FundSnapshot,
    assessment: StoredAssessment,
    context: EmergencyContext,
) -> Emergency | None:
    """Take one transition, and return the emergency that is open now, or that has just ended."""
    if emergency is None or emergency.is_drill:
        level = assessment.level
        if is_due(level.level, level.since, await find_last_real(session)):
            return await _declare(session, emergency, snapshot, assessment)
    if emergency is None:
        return None
    now = await database_now(session)
    seen = await look(session, emergency, snapshot, assessment, context, now=now)
    settling = timedelta(0) if emergency.is_drill else context.policy.settling
    advanced = advance(emergency, seen, settling=settling)
    if advanced.emergency != emergency:
        await save_answered(session, advanced.emergency)
        await record(session, advanced, snapshot, assessment)
    return advanced.emergency


async def _declare(
    session: WriteSession, drill: Emergency | None, snapshot: FundSnapshot, assessment: StoredAssessment
) -> Emergency | None:
    """Declare an emergency; a drill that is under way ends for it. None when a person has just started a drill."""
    now = await database_now(session)
    if drill is not None:
        await record(session, stand_down(drill, "the fund is in an emergency", by=None, now=now), snapshot, assessment)
    declared = await insert_emergency(
        session,
        EmergencyState.DECLARED,
        started_at=now,
        critical_since=assessment.level.since,
        evidence=evidence_of(snapshot, assessment),
    )
    if declared is None:
        return None
    entry = TimelineEntry(EntryKind.STATE, f"{EmergencyState.DECLARED}: the risk level is {assessment.level.level}")
    await record(session, Advanced(declared, (entry,)), snapshot, assessment)
    return declared


async def record(
    session: WriteSession, advanced: Advanced, snapshot: FundSnapshot | None, assessment: StoredAssessment | None
) -> None:
    """Write what changed, with its timeline and the message to watchers."""
    emergency, now = advanced.emergency, await database_now(session)
    ending = evidence_of(snapshot, assessment) if emergency.state in ENDED and snapshot and assessment else None
    await save_emergency(session, emergency, advanced.entries, now=now, end_evidence=ending)
    await outbox.add(session, EMERGENCY, str(emergency.id), priority=OutboxPriority.CRITICAL)
    for entry in advanced.entries:
        log.info("emergency.changed", emergency=emergency.name, entry=entry.kind, step=entry.step, text=entry.text)


async def _record_event(session: WriteSession, emergency: Emergency | None, *, block: int) -> None:
    """Open or update the risk event of the open emergency, and resolve those of the ones that have ended."""
    is_open = emergency is not None and emergency.state not in ENDED
    if is_open or await list_unresolved(session, RiskKind.EMERGENCY):
        findings = [await _finding(session, emergency)] if emergency is not None and is_open else []
        await record_check_results(session, RiskKind.EMERGENCY, findings, block=block)


async def _finding(session: WriteSession, emergency: Emergency) -> Finding:
    """Report an open emergency with what waits, and what is to be rejected. A drill is a warning, and says that it is one."""
    waiting = [step.kind for step in emergency.steps if step.status is StepStatus.PROPOSED]
    signing = [step.kind for step in emergency.steps if step.status is StepStatus.SUBMITTED]
    parts = [f"{'DRILL, ' if emergency.is_drill else ''}{emergency.state}"]
    parts += [f"to be submitted: {', '.join(waiting)}"] if waiting else []
    parts += [f"wait for signatures: {', '.join(signing)}"] if signing else []
    left = [f"{hex0x(hash_)} ({kind})" for kind, hash_ in await list_left_proposals(session, emergency)]
    parts += [f"Safe transactions to be rejected by the owners: {', '.join(left)}"] if left else []
    severity = Severity.WARNING if emergency.is_drill else Severity.CRITICAL
    return Finding(RiskKind.EMERGENCY, emergency.name, "; ".join(parts), "ended", severity)
