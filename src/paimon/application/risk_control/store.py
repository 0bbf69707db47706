"""Rows of `risk_events` as domain events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.kernel.chain import Address
from paimon.domain.risk.risk_event import (
    ActorStamp,
    CheckStamp,
    Finding,
    RiskEvent,
    RiskKind,
    RiskOwner,
    RiskStatus,
    Severity,
    open_event,
)
from paimon.domain.user.roles import UserRole
from paimon.errors import NotFound
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.sessions import WriteSession


class RiskEventNotFound(NotFound):
    """No risk event has this id."""


def to_domain(row: RiskEventRow) -> RiskEvent:
    return RiskEvent(
        id=row.id,
        finding=Finding(row.kind, row.subject, row.observed, row.expected, row.severity),
        status=row.status,
        owner=_owner(row.owner_role, row.owner_address),
        first_seen=CheckStamp(row.first_seen_at, row.first_seen_block),
        last_seen=CheckStamp(row.last_seen_at, row.last_seen_block),
        acknowledged=_actor_stamp(row.acknowledged_by, row.acknowledged_at),
        cleared=None
        if row.resolved_at is None or row.resolved_block is None
        else CheckStamp(row.resolved_at, row.resolved_block),
        resolved=_actor_stamp(row.resolved_by, row.resolved_at),
        note=row.note,
    )


def _owner(role: UserRole | None, address: bytes | None) -> RiskOwner:
    if role is not None:
        return role
    if address is None:
        raise ValueError("a risk event without an owner; the table's check should have refused it")
    return Address(address)


def _actor_stamp(by: bytes | None, at: datetime | None) -> ActorStamp | None:
    return None if by is None or at is None else ActorStamp(Address(by), at)


def _values(event: RiskEvent) -> dict[str, Any]:
    """Every column but the id."""
    role = event.owner if isinstance(event.owner, UserRole) else None
    return {
        "kind": event.finding.kind,
        "subject": event.finding.subject,
        "observed": event.finding.observed,
        "expected": event.finding.expected,
        "severity": event.finding.severity,
        "status": event.status,
        "owner_role": role,
        "owner_address": None if role else event.owner,
        "first_seen_at": event.first_seen.at,
        "first_seen_block": event.first_seen.block,
        "last_seen_at": event.last_seen.at,
        "last_seen_block": event.last_seen.block,
        "acknowledged_at": event.acknowledged.at if event.acknowledged else None,
        "acknowledged_by": event.acknowledged.by if event.acknowledged else None,
        "resolved_at": event.ended_at,
        "resolved_block": event.cleared.block if event.cleared else None,
        "resolved_by": event.resolved.by if event.resolved else None,
        "note": event.note,
    }


async def insert_opened(session: WriteSession, found: Sequence[Finding], stamp: CheckStamp) -> list[RiskEvent]:
    """New events of these findings, none of whose subjects has an unresolved one."""
    rows = [RiskEventRow(**_values(open_event(0, each, stamp))) for each in found]
    session.add_all(rows)
    await session.flush()
    return [to_domain(row) for row in rows]


async def save(session: WriteSession, events: Sequence[RiskEvent]) -> None:
    """Bring the rows of these events up to date."""
    if events:
        await session.execute(update(RiskEventRow), [{"id": each.id, **_values(each)} for each in events])


async def get_event(session: AsyncSession, event_id: int) -> RiskEvent:
    """Raises RiskEventNotFound."""
    row = await session.get(RiskEventRow, event_id, populate_existing=True)
    if row is None:
        raise RiskEventNotFound(f"there is no risk event {event_id}")
    return to_domain(row)


async def lock_event(session: WriteSession, event_id: int) -> RiskEvent:
    """The event as it is once everyone before us has committed. Raises RiskEventNotFound."""
    row = await session.get(RiskEventRow, event_id, populate_existing=True, with_for_update=True)
    if row is None:
        raise RiskEventNotFound(f"there is no risk event {event_id}")
    return to_domain(row)


async def lock_unresolved(session: WriteSession, kind: RiskKind) -> dict[str, RiskEvent]:
    """Every unresolved event of a kind, by subject."""
    query = select(RiskEventRow).where(RiskEventRow.kind == kind, RiskEventRow.status != RiskStatus.RESOLVED)
    rows = await session.scalars(query.with_for_update().execution_options(populate_existing=True))
    return {row.subject: to_domain(row) for row in rows}


async def list_critical_breaks(session: AsyncSession) -> list[RiskEvent]:
    """The unresolved differences of the books for which NAV is withheld, acknowledged or not."""
    query = select(RiskEventRow).where(
        RiskEventRow.kind == RiskKind.RECONCILIATION_BREAK,
        RiskEventRow.status != RiskStatus.RESOLVED,
        RiskEventRow.severity == Severity.CRITICAL,
    )
    return [to_domain(row) for row in await session.scalars(query.order_by(RiskEventRow.subject))]
