"""Triage of risk events by people: acknowledge, assign and resolve an event, and alert the people who watch."""

from typing import Final

import structlog

from paimon.application.common.live import LiveMessage
from paimon.application.common.signed_action import ProposedAction
from paimon.application.identity.accept_action import SignedRequest, SigningContext, accept_action
from paimon.application.identity.signed_users import find_user
from paimon.application.risk_control.store import RiskEventNotFound, get_event, lock_event, save_triage
from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.risk import risk_event as risk
from paimon.domain.risk.resolution import is_verified_later, resolution_content, resolution_permission
from paimon.domain.risk.risk_event import InvalidOwner, RiskEvent, RiskOwner, RiskStatus, format_owner
from paimon.domain.user.roles import User, UserRole
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import Database, WriteSession

log = structlog.get_logger(__name__)

RISK_ALERT: Final = "risk:alert"


async def acknowledge_event(
    database: Database,
    event_id: int,
    *,
    by: User,
    scope: SigningScope,
    owner: RiskOwner | None = None,
    note: str | None = None,
) -> RiskEvent:
    """Acknowledge an event; it is then the user's own, or the given owner's. `scope` says which users' grants count.

    Raises:
        RiskEventNotFound, RiskEventClosed, InvalidOwner.
    """
    async with database.write() as session:
        event = await lock_event(session, event_id)
        await _require_user(session, owner, scope)
        acknowledged = risk.acknowledge(event, by, now=await database_now(session), owner=owner, note=note)
        await save_triage(session, acknowledged)
    log.info("risk.acknowledged", event_id=event_id, by=checksum(by.address), owner=format_owner(acknowledged.owner))
    return acknowledged


async def assign_event(database: Database, event_id: int, owner: RiskOwner, *, scope: SigningScope) -> RiskEvent:
    """Assign an event to a person or a role.

    Raises:
        RiskEventNotFound, RiskEventClosed, InvalidOwner.
    """
    async with database.write() as session:
        event = await lock_event(session, event_id)
        await _require_user(session, owner, scope)
        assigned = risk.assign(event, owner)
        await save_triage(session, assigned)
    log.info("risk.assigned", event_id=event_id, owner=format_owner(owner))
    return assigned


async def resolve_event(event_id: int, request: SignedRequest, context: SigningContext) -> RiskEvent:
    """Resolve an event by a user's signed declaration; its reason becomes the event's note.

    Raises:
        RiskEventNotFound, MalformedSignature, InvalidExpiry, NonceUsed, SignerMismatch, NotPermitted, ActionChanged,
        RiskEventClosed, StillDetected, KeySignatureRequired, RpcUnavailable.
    """
    async with context.database.write() as session:  # on the primary: a replica may lag behind
        proposed = propose_resolution(await get_event(session, event_id))
    accepted = await accept_action(request, proposed, context)
    async with context.database.write() as session:
        event = await lock_event(session, event_id)
        await accepted.record(session, propose_resolution(event))
        resolved = risk.resolve(event, request.user, now=await database_now(session), note=request.reason)
        await save_triage(session, resolved)
    log.info("risk.resolved", event_id=event_id, by=checksum(request.user.address), subject=event.finding.subject)
    return resolved


def propose_resolution(event: RiskEvent) -> ProposedAction:
    """Return what a person signs to resolve this event now."""
    kind = event.finding.kind
    return ProposedAction(
        resolution_content(event),
        resolution_permission(kind),
        risk.resolution_rejection(event),
        needs_key=is_verified_later(kind),
    )


async def _require_user(session: WriteSession, owner: RiskOwner | None, scope: SigningScope) -> None:
    if owner is None or isinstance(owner, UserRole):
        return
    if await find_user(session, owner, scope) is None:
        raise InvalidOwner(f"{checksum(owner)} is not a user: `paimon users add` adds one")


async def alert_if_open(session: WriteSession, event_id: int) -> list[LiveMessage]:
    """Return the alert of an event, or nothing if the event was acknowledged, resolved or removed since."""
    try:
        event = await get_event(session, event_id)
    except RiskEventNotFound:
        return []
    return [LiveMessage(RISK_ALERT, event)] if event.status is RiskStatus.OPEN else []
