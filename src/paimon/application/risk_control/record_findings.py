"""Findings become events: new ones open, those that are there are brought up to date, those that are gone end.

Whoever opens one, or finds one worse than it was, leaves a reaction for it in the same transaction, which tells the
people who watch. Of a flood of findings only the worst are told one by one; the list has them all.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import structlog
from sqlalchemy import exists, func, select, text

from paimon.application.risk_control.store import insert_opened, lock_unresolved, save
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.risk.risk_event import CheckStamp, Finding, RiskEvent, RiskKind, Severity, clear_event, update_event
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.reconciliation import ReconciliationRow
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)

RISK_EVENT: Final = "risk_event"
_ALERTS_MAX: Final = 50
_PRIORITY: Final = {Severity.WARNING: OutboxPriority.HIGH, Severity.CRITICAL: OutboxPriority.CRITICAL}

# Not on the events' own table: whoever acknowledges one holds its row already, and would wait for us as we for them.
_ONE_RECONCILIATION_AT_A_TIME = text("LOCK TABLE ops.reconciliations IN SHARE ROW EXCLUSIVE MODE")


async def record_differences(session: WriteSession, found: Sequence[Finding], *, block: int) -> list[RiskEvent]:
    """What a comparison at this block found, all of it; the unresolved differences there are now, the worst first.

    A comparison that was overtaken by one at a later block is old news and changes nothing.
    """
    await session.execute(_ONE_RECONCILIATION_AT_A_TIME)
    known = await lock_unresolved(session, RiskKind.RECONCILIATION_BREAK)
    newest = (
        await session.execute(select(func.max(ReconciliationRow.block_number)).where(~ReconciliationRow.orphaned))
    ).scalar()
    if newest is not None and newest > block:
        return _worst_first(known.values())
    stamp = CheckStamp(await database_now(session), block)
    again = [update_event(known[each.subject], each, stamp) for each in found if each.subject in known]
    ended = [clear_event(event, stamp) for subject, event in known.items() if subject not in {each.subject for each in found}]
    new = await insert_opened(session, [each for each in found if each.subject not in known], stamp)
    await save(session, [*again, *ended])
    for event in ended:
        log.info("risk.resolved", event_id=event.id, subject=event.finding.subject, block=block)
    worse = [each for each in again if each.finding.severity.exceeds(known[each.finding.subject].finding.severity)]
    await _alert(session, [*new, *worse])
    return _worst_first([*again, *new])


async def record_facts(session: WriteSession, found: Sequence[Finding], *, block: int) -> list[RiskEvent]:
    """What no later look can take back; the events this call opened. Each is a fact, and an event only once."""
    await session.execute(_ONE_RECONCILIATION_AT_A_TIME)
    stamp = CheckStamp(await database_now(session), block)
    new = await insert_opened(session, [each for each in found if not await _exists(session, each)], stamp)
    await _alert(session, new)
    return new


async def record_check_result(
    session: WriteSession, kind: RiskKind, subject: str, found: Finding | None, *, block: int
) -> None:
    """What a look at one subject found; whoever looks is the only one to do so, so one look comes after the other."""
    known = (await lock_unresolved(session, kind)).get(subject)
    if known is None and found is None:
        return
    # A node that lags behind the one asked before may name an earlier block; the order of looks is that of our clock.
    stamp = CheckStamp(await database_now(session), max(block, known.last_seen.block if known else 0))
    if known is None and found is not None:
        await _alert(session, await insert_opened(session, [found], stamp))
    elif known is not None and found is None:
        await save(session, [clear_event(known, stamp)])
        log.info("risk.resolved", event_id=known.id, subject=subject, block=block)
    elif known is not None and found is not None:
        again = update_event(known, found, stamp)
        await save(session, [again])
        if found.severity.exceeds(known.finding.severity):
            await _alert(session, [again])


async def _exists(session: WriteSession, found: Finding) -> bool:
    query = exists().where(RiskEventRow.kind == found.kind, RiskEventRow.subject == found.subject)
    return bool((await session.execute(select(query))).scalar())


def _worst_first(events: Iterable[RiskEvent]) -> list[RiskEvent]:
    return sorted(events, key=lambda each: (not each.finding.severity.exceeds(Severity.WARNING), each.finding.subject))


async def _alert(session: WriteSession, events: Sequence[RiskEvent]) -> None:
    for event in events:
        log.error(
            "risk.opened",
            event_id=event.id,
            kind=event.finding.kind,
            severity=event.finding.severity,
            subject=event.finding.subject,
            observed=event.finding.observed,
            expected=event.finding.expected,
        )
    for event in _worst_first(events)[:_ALERTS_MAX]:
        await outbox.add(session, RISK_EVENT, str(event.id), priority=_PRIORITY[event.finding.severity])
