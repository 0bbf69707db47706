"""Assess the fund's risk at the block of its newest snapshot: after events that move value, and by the clock.

    snapshot ──► state at its block ──► measurements · score · level ──► the last assessment, and the series
                                                                     └─► risk events: one per breach, one per level

An assessment at the same block, or at an earlier one, changes nothing, so that two workers and repeated messages do no harm.
Everything is written in one transaction, and only while the snapshot's block is recorded.
"""

from datetime import timedelta
from typing import Final

import structlog

from paimon.application.common.recorded_block import lock_recorded_block
from paimon.application.fund_risk.queries import load_risk_state
from paimon.application.fund_risk.store import StoredAssessment, find_assessment, save_assessment
from paimon.application.nav.store import find_newest_snapshot
from paimon.application.risk_control.record_findings import record_check_result, record_check_results
from paimon.application.risk_control.store import lock_findings
from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.risk.assessment import Assessment, assess, breach_findings, level_findings
from paimon.domain.risk.levels import check_interval
from paimon.domain.risk.risk_event import RiskKind
from paimon.domain.risk.risk_policy import RiskPolicy
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database, WriteSession

log = structlog.get_logger(__name__)

_SLACK: Final = timedelta(seconds=15)
"""Snapshots come each minute, but not exactly: a check is not left out for some seconds."""


async def assess_risk(
    database: Database, policy: RiskPolicy, scope: SigningScope, *, system_health: int | None = None, only_if_due: bool = False
) -> Assessment | None:
    """Assess the newest snapshot and record what was found; None when there is nothing new to assess.

    With `only_if_due`, leave out what the interval of the present level does not ask for.
    """
    async with database.write() as session:
        snapshot = await find_newest_snapshot(session)
        # The block before the findings: a recovery locks them in this order too.
        if snapshot is None or not await lock_recorded_block(session, snapshot.at):
            return None
        await lock_findings(session)
        previous = await find_assessment(session)
        if previous is not None and not _is_due(previous, snapshot.at, only_if_due=only_if_due):
            return None
        now = await database_now(session)
        state = await load_risk_state(session, snapshot, scope, now=now, system_health=system_health)
        assessment = assess(state, policy, None if previous is None else previous.level)
        await save_assessment(session, assessment, policy, now=now)
        await _record_events(session, assessment, policy)
    _log_assessment(assessment, previous)
    return assessment


def _is_due(previous: StoredAssessment, at: BlockStamp, *, only_if_due: bool) -> bool:
    since_last = at.timestamp - previous.level.assessed_at
    if since_last <= timedelta(0):
        return False
    return not only_if_due or since_last + _SLACK >= check_interval(previous.level)


async def _record_events(session: WriteSession, assessment: Assessment, policy: RiskPolicy) -> None:
    block = assessment.at.number
    for name, finding in breach_findings(assessment, policy).items():
        await record_check_result(session, RiskKind.INDICATOR_BREACH, name, finding, block=block)
    await record_check_results(session, RiskKind.RISK_LEVEL, level_findings(assessment), block=block)


def _log_assessment(assessment: Assessment, previous: StoredAssessment | None) -> None:
    level = assessment.level
    fields = {"block": assessment.at.number, "level": level.level, "score": str(assessment.score.value)}
    log.info("risk.assessed", indicated=level.indicated, policy=assessment.policy_version, **fields)
    if previous is not None and previous.level.level is not level.level:
        log.warning("risk.level_changed", before=previous.level.level, **fields)
