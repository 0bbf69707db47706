"""Findings recorded as risk events: new ones are opened, known ones updated, and those not found again resolved.

An event that is opened or becomes more severe adds an outbox message in the same transaction. The message alerts the people who
watch. Of many findings at once only the most severe are alerted one by one; the list has them all.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import structlog

from paimon.application.risk_control.store import (
    event_exists,
    find_reconciled_block,
    insert_opened,
    lock_findings,
    lock_newest_events,
    lock_unresolved,
    save,
)
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.risk.risk_event import (
    CheckStamp,
    DatedFinding,
    Finding,
    RiskEvent,
    RiskKind,
    RiskStatus,
    Severity,
    clear_event,
    reopen_event,
    update_event,
)
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import WriteSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)

RISK_EVENT: Final = "risk_event"
_ALERTS_MAX: Final = 50
_PRIORITY: Final = {Severity.WARNING: OutboxPriority.HIGH, Severity.CRITICAL: OutboxPriority.CRITICAL}


async def record_discrepancies(session: WriteSession, findings: Sequence[Finding], *, block: int) -> list[RiskEvent]:
    """Record everything a reconciliation at a block found; return the unresolved breaks, most severe first.

    A reconciliation that was overtaken by one at a later block is out of date and changes nothing.
    """
    await lock_findings(session)
    known = await lock_unresolved(session, RiskKind.RECONCILIATION_BREAK)
    newest = await find_reconciled_block(session)
    if newest is not None and newest > block:
        return _most_severe_first(known.values())
    stamp = CheckStamp(await database_now(session), block)
    found = {finding.subject for finding in findings}
    updated = [update_event(known[finding.subject], finding, stamp) for finding in findings if finding.subject in known]
    cleared = [clear_event(event, stamp) for subject, event in known.items() if subject not in found]
    opened = await insert_opened(session, [finding for finding in findings if finding.subject not in known], stamp)
    await save(session, [*updated, *cleared])
    for event in cleared:
        _log_resolved(event, block=block)
    await _alert(session, [*opened, *_escalated(updated, known)])
    return _most_severe_first([*updated, *opened])


async def record_facts(session: WriteSession, findings: Sequence[Finding], *, block: int) -> list[RiskEvent]:
    """Record findings that no later check can clear; return the events that this call opened.

    Each finding is a fact and is recorded once.
    """
    await lock_findings(session)
    stamp = CheckStamp(await database_now(session), block)
    new = [finding for finding in findings if not await event_exists(session, finding)]
    opened = await insert_opened(session, new, stamp)
    await _alert(session, opened)
    return opened


async def record_dated_facts(session: WriteSession, kind: RiskKind, found: Sequence[DatedFinding]) -> list[RiskEvent]:
    """Record findings about facts on chain, each by its subject; return the events that are new or changed.

    An unresolved event is updated by newer facts only. After a person has resolved it, only newer facts open another one.
    """
    await lock_findings(session)
    known = await lock_newest_events(session, kind, [each.finding.subject for each in found])
    now = await database_now(session)
    opened: list[RiskEvent] = []
    updated: list[RiskEvent] = []
    for each in found:
        event, stamp = known.get(each.finding.subject), CheckStamp(now, each.block)
        if event is not None and event.last_seen.block >= each.block:
            continue
        if event is None or event.status is RiskStatus.RESOLVED:
            opened += await insert_opened(session, [each.finding], stamp)
        else:
            updated.append(update_event(event, each.finding, stamp))
    await save(session, updated)
    await _alert(session, [*opened, *_escalated(updated, known)])
    return [*opened, *updated]


async def record_check_results(session: WriteSession, kind: RiskKind, findings: Sequence[Finding], *, block: int) -> None:
    """Record everything a check of all subjects of a kind found; an event that was not found again is cleared.

    Two checks at once wait for each other.
    """
    await lock_findings(session)
    known = await lock_unresolved(session, kind)
    stamp = CheckStamp(await database_now(session), max([block, *(event.last_seen.block for event in known.values())]))
    found = {finding.subject for finding in findings}
    updated = [update_event(known[finding.subject], finding, stamp) for finding in findings if finding.subject in known]
    cleared = [clear_event(event, stamp) for subject, event in known.items() if subject not in found]
    await save(session, [*updated, *cleared])
    for event in cleared:
        _log_resolved(event, block=block)
    opened = await insert_opened(session, [finding for finding in findings if finding.subject not in known], stamp)
    await _alert(session, [*opened, *_escalated(updated, known)])


async def record_check_result(
    session: WriteSession, kind: RiskKind, subject: str, finding: Finding | None, *, block: int
) -> None:
    """Record what a check of one subject found; None clears its event.

    One process alone checks a subject, so its checks follow each other.
    """
    known = (await lock_unresolved(session, kind)).get(subject)
    if known is None and finding is None:
        return
    # A node that lags behind the previous one may name an earlier block; the order of checks is that of our clock.
    stamp = CheckStamp(await database_now(session), max(block, known.last_seen.block if known else 0))
    if known is None and finding is not None:
        await _alert(session, await insert_opened(session, [finding], stamp))
    elif known is not None and finding is None:
        await save(session, [clear_event(known, stamp)])
        _log_resolved(known, block=block)
    elif known is not None and finding is not None:
        updated = update_event(known, finding, stamp)
        await save(session, [updated])
        await _alert(session, _escalated([updated], {subject: known}))


async def reopen_events(session: WriteSession, events: Sequence[RiskEvent]) -> list[RiskEvent]:
    """Open events again whose resolution does not count, alert, and return them. The caller has locked the findings."""
    reopened = [reopen_event(event) for event in events]
    await save(session, reopened)
    await _alert(session, reopened)
    return reopened


def _escalated(updated: Iterable[RiskEvent], known: Mapping[str, RiskEvent]) -> list[RiskEvent]:
    return [event for event in updated if event.finding.severity.exceeds(known[event.finding.subject].finding.severity)]


def _most_severe_first(events: Iterable[RiskEvent]) -> list[RiskEvent]:
    return sorted(events, key=lambda event: (not event.finding.severity.exceeds(Severity.WARNING), event.finding.subject))


def _log_resolved(event: RiskEvent, *, block: int) -> None:
    log.info("risk.resolved", event_id=event.id, subject=event.finding.subject, block=block)


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
    for event in _most_severe_first(events)[:_ALERTS_MAX]:
        await outbox.add(session, RISK_EVENT, str(event.id), priority=_PRIORITY[event.finding.severity])
