"""Storage of risk events: rows of `risk_events` as domain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import exists, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.domain.kernel.chain import Address, Hash32
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
from paimon.infrastructure.database.models.ops.reconciliation import ReconciliationRow
from paimon.infrastructure.database.models.ops.risk import AcknowledgementLinkRow, RiskEventRow
from paimon.infrastructure.database.sessions import WriteSession


class RiskEventNotFound(NotFound):
    """No risk event has this id."""


def to_domain(row: RiskEventRow) -> RiskEvent:
    """Return the event of a row."""
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
    """Return every column of an event but the id."""
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


_TRIAGE_COLUMNS: Final = frozenset(
    {
        *("status", "owner_role", "owner_address", "acknowledged_at", "acknowledged_by"),
        *("resolved_at", "resolved_by", "note"),
    }
)


async def insert_opened(session: WriteSession, findings: Sequence[Finding], stamp: CheckStamp) -> list[RiskEvent]:
    """Insert a new event for each finding; the caller knows that no subject has an unresolved event."""
    rows = [RiskEventRow(**_values(open_event(0, finding, stamp))) for finding in findings]
    session.add_all(rows)
    await session.flush()
    return [to_domain(row) for row in rows]


async def save(session: WriteSession, events: Sequence[RiskEvent]) -> None:
    """Update the rows of these events."""
    if events:
        await session.execute(update(RiskEventRow), [{"id": event.id, **_values(event)} for event in events])


async def save_triage(session: WriteSession, event: RiskEvent) -> None:
    """Update what people do with an event. What a check found stays: the API's role may not change it."""
    values = {column: value for column, value in _values(event).items() if column in _TRIAGE_COLUMNS}
    await session.execute(update(RiskEventRow).where(RiskEventRow.id == event.id).values(values))


async def get_event(session: AsyncSession, event_id: int) -> RiskEvent:
    """Return an event. Raises RiskEventNotFound."""
    row = await session.get(RiskEventRow, event_id, populate_existing=True)
    if row is None:
        raise RiskEventNotFound(f"there is no risk event {event_id}")
    return to_domain(row)


async def lock_event(session: WriteSession, event_id: int) -> RiskEvent:
    """Lock an event and return it as it is after every earlier transaction. Raises RiskEventNotFound."""
    row = await session.get(RiskEventRow, event_id, populate_existing=True, with_for_update=True)
    if row is None:
        raise RiskEventNotFound(f"there is no risk event {event_id}")
    return to_domain(row)


async def lock_unresolved(session: WriteSession, kind: RiskKind) -> dict[str, RiskEvent]:
    """Lock every unresolved event of a kind and return them by subject."""
    query = select(RiskEventRow).where(RiskEventRow.kind == kind, RiskEventRow.status != RiskStatus.RESOLVED)
    rows = await session.scalars(query.with_for_update().execution_options(populate_existing=True))
    return {row.subject: to_domain(row) for row in rows}


async def lock_newest_events(session: WriteSession, kind: RiskKind, subjects: Sequence[str]) -> dict[str, RiskEvent]:
    """Lock the newest event of each of these subjects, resolved or not, and return them by subject."""
    newest = select(func.max(RiskEventRow.id)).where(RiskEventRow.kind == kind, RiskEventRow.subject.in_(subjects))
    query = select(RiskEventRow).where(RiskEventRow.id.in_(newest.group_by(RiskEventRow.subject)))
    rows = await session.scalars(query.with_for_update().execution_options(populate_existing=True))
    return {row.subject: to_domain(row) for row in rows}


async def list_critical_breaks(session: AsyncSession) -> list[RiskEvent]:
    """Return the unresolved reconciliation breaks that withhold NAV, acknowledged or not."""
    query = select(RiskEventRow).where(
        RiskEventRow.kind == RiskKind.RECONCILIATION_BREAK,
        RiskEventRow.status != RiskStatus.RESOLVED,
        RiskEventRow.severity == Severity.CRITICAL,
    )
    return [to_domain(row) for row in await session.scalars(query.order_by(RiskEventRow.subject))]


async def event_exists(session: AsyncSession, finding: Finding) -> bool:
    """Return whether an event of this kind and subject was ever opened."""
    query = exists().where(RiskEventRow.kind == finding.kind, RiskEventRow.subject == finding.subject)
    return bool((await session.execute(select(query))).scalar())


# Not on the events' own rows: a person who acknowledges an event holds its row already, and each would wait for the other. An
# advisory lock needs no right on a table.
_LOCK: Final = 0x5061696D_7269736B  # "Paimrisk"


async def lock_findings(session: WriteSession) -> None:
    """Wait until no other transaction records findings, and keep others waiting until this one ends."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


async def find_reconciled_block(session: AsyncSession) -> int | None:
    """Return the block of the last reconciliation whose block is still recorded."""
    query = select(func.max(ReconciliationRow.block_number)).where(~ReconciliationRow.orphaned)
    block: int | None = (await session.execute(query)).scalar()
    return block


@dataclass(frozen=True, slots=True)
class StoredLink:
    """A link that acknowledges one event for one person."""

    event_id: int
    person: Address
    expires_at: datetime
    used_at: datetime | None


async def insert_link(session: WriteSession, token_hash: Hash32, event_id: int, person: Address, expires_at: datetime) -> None:
    session.add(AcknowledgementLinkRow(token_hash=token_hash, event_id=event_id, person=person, expires_at=expires_at))
    await session.flush()


async def find_link(session: AsyncSession, token_hash: Hash32) -> StoredLink | None:
    row = await session.get(AcknowledgementLinkRow, token_hash, populate_existing=True)
    return None if row is None else StoredLink(row.event_id, Address(row.person), row.expires_at, row.used_at)


async def use_link(session: WriteSession, token_hash: Hash32, *, now: datetime) -> bool:
    """Use the link up; False if another transaction did. A use at the same moment waits here for that one's end."""
    statement = (
        update(AcknowledgementLinkRow)
        .where(AcknowledgementLinkRow.token_hash == token_hash, AcknowledgementLinkRow.used_at.is_(None))
        .values(used_at=now)
        .returning(AcknowledgementLinkRow.event_id)
        .execution_options(synchronize_session=False)
    )
    return (await session.execute(statement)).scalar_one_or_none() is not None
