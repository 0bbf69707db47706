"""People and risk events: taking one, giving it to somebody, resolving it, and hearing of it."""

from datetime import datetime
from typing import Any

import structlog

from paimon.application.common.live import LiveMessage
from paimon.application.identity.users import find_user
from paimon.application.risk_control.store import RiskEventNotFound, get_event, lock_event, save
from paimon.domain.kernel.chain import checksum
from paimon.domain.risk import risk_event as risk
from paimon.domain.risk.risk_event import InvalidOwner, RiskEvent, RiskOwner, RiskStatus, format_owner
from paimon.domain.user.roles import User, UserRole
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database, WriteSession

log = structlog.get_logger(__name__)


async def acknowledge_event(
    database: Database, event_id: int, *, by: User, owner: RiskOwner | None = None, note: str | None = None
) -> RiskEvent:
    """They have seen it; it is theirs, or whose they say.

    Raises:
        RiskEventNotFound, RiskEventClosed, InvalidOwner.
    """
    async with database.write() as session:
        event = await lock_event(session, event_id)
        await _require_user(session, owner)
        taken = risk.acknowledge(event, by, now=await database_now(session), owner=owner, note=note)
        await save(session, [taken])
    log.info("risk.acknowledged", event_id=event_id, by=checksum(by.address), owner=format_owner(taken.owner))
    return taken


async def assign_event(database: Database, event_id: int, owner: RiskOwner) -> RiskEvent:
    """It is this person's or role's to look after.

    Raises:
        RiskEventNotFound, RiskEventClosed, InvalidOwner.
    """
    async with database.write() as session:
        event = await lock_event(session, event_id)
        await _require_user(session, owner)
        assigned = risk.assign(event, owner)
        await save(session, [assigned])
    log.info("risk.assigned", event_id=event_id, owner=format_owner(owner))
    return assigned


async def resolve_event(database: Database, event_id: int, *, by: User, note: str | None = None) -> RiskEvent:
    """They declare it settled.

    Raises:
        RiskEventNotFound, RiskEventClosed, StillDetected.
    """
    async with database.write() as session:
        event = await lock_event(session, event_id)
        resolved = risk.resolve(event, by, now=await database_now(session), note=note)
        await save(session, [resolved])
    log.info("risk.resolved", event_id=event_id, by=checksum(by.address), subject=event.finding.subject)
    return resolved


async def _require_user(session: WriteSession, owner: RiskOwner | None) -> None:
    if owner is None or isinstance(owner, UserRole):
        return
    if await find_user(session, owner) is None:
        raise InvalidOwner(f"{checksum(owner)} is nobody's wallet here: `paimon users add` lets it sign in")


async def notify_if_open(session: WriteSession, event_id: int) -> list[LiveMessage]:
    """The message to those who watch, unless somebody has taken the event up since, or it is gone."""
    try:
        event = await get_event(session, event_id)
    except RiskEventNotFound:
        return []
    return [LiveMessage("risk:alert", _present(event))] if event.status is RiskStatus.OPEN else []


def _present(event: RiskEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "kind": event.finding.kind.value,
        "subject": event.finding.subject,
        "observed": event.finding.observed,
        "expected": event.finding.expected,
        "severity": event.finding.severity.value,
        "owner": format_owner(event.owner),
        "firstSeenAt": iso_z(event.first_seen.at),
        "blockNumber": event.last_seen.block,
    }


def iso_z(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
