"""Emergencies in the database, each with its steps and its timeline. At most one is open."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from paimon.domain.kernel.chain import Address
from paimon.domain.risk.emergency import (
    Emergency,
    EmergencyState,
    EmergencyStep,
    EntryKind,
    TimelineEntry,
)
from paimon.errors import NotFound
from paimon.infrastructure.database.clock import as_utc
from paimon.infrastructure.database.models.ops.emergency import EmergencyEntryRow, EmergencyRow
from paimon.infrastructure.database.sessions import ReadSession, WriteSession

_STEPS: Final = TypeAdapter(tuple[EmergencyStep, ...])


class EmergencyNotFound(NotFound):
    """There is no emergency or drill with this number."""


@dataclass(frozen=True, slots=True)
class StoredEmergency:
    """An emergency with what was recorded when it began and when it ended."""

    emergency: Emergency
    started_by: Address | None
    evidence: dict[str, Any]
    end_evidence: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class DatedEntry:
    """An entry of a timeline, with its number and its time."""

    number: int
    at: datetime
    entry: TimelineEntry


async def insert_emergency(
    session: WriteSession,
    state: EmergencyState,
    *,
    started_at: datetime,
    critical_since: datetime,
    evidence: dict[str, Any],
    started_by: Address | None = None,
) -> Emergency | None:
    """Insert an emergency, or a drill when a person starts it. Return None while another one is open."""
    values = {
        "is_drill": started_by is not None,
        "state": state,
        "started_at": started_at,
        "started_by": started_by,
        "evidence": evidence,
        "state_since": started_at,
        "critical_since": critical_since,
        "steps": [],
    }
    statement = insert(EmergencyRow).values(values).on_conflict_do_nothing().returning(EmergencyRow)
    row = (await session.execute(statement)).scalar_one_or_none()
    return None if row is None else _stored(row).emergency


async def lock_open(session: WriteSession) -> Emergency | None:
    """Return the open emergency or drill; nothing else changes it until the transaction ends."""
    query = select(EmergencyRow).where(EmergencyRow.ended_at.is_(None)).with_for_update()
    row = (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()
    return None if row is None else _stored(row).emergency


async def lock_emergency(session: WriteSession, number: int) -> Emergency:
    """Raises EmergencyNotFound."""
    row = await session.get(EmergencyRow, number, populate_existing=True, with_for_update=True)
    return _require(row, number).emergency


async def get_emergency(session: ReadSession | WriteSession, number: int) -> StoredEmergency:
    """Raises EmergencyNotFound."""
    return _require(await session.get(EmergencyRow, number, populate_existing=True), number)


def _require(row: EmergencyRow | None, number: int) -> StoredEmergency:
    if row is None:
        raise EmergencyNotFound(f"there is no emergency or drill {number}")
    return _stored(row)


async def find_last_real(session: ReadSession | WriteSession) -> Emergency | None:
    """Return the newest emergency that is no drill."""
    query = select(EmergencyRow).where(~EmergencyRow.is_drill).order_by(EmergencyRow.id.desc()).limit(1)
    row = (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()
    return None if row is None else _stored(row).emergency


async def list_emergencies(session: ReadSession | WriteSession, *, limit: int) -> list[StoredEmergency]:
    """List the newest emergencies and drills, latest first."""
    query = select(EmergencyRow).order_by(EmergencyRow.id.desc()).limit(limit)
    return [_stored(row) for row in await session.scalars(query.execution_options(populate_existing=True))]


async def save_answered(session: WriteSession, emergency: Emergency) -> None:
    """Write which CRITICAL level an emergency has answered; the worker's right alone."""
    values = {"critical_since": emergency.critical_since}
    await session.execute(update(EmergencyRow).where(EmergencyRow.id == emergency.id).values(values))


async def save_emergency(
    session: WriteSession,
    emergency: Emergency,
    entries: Iterable[TimelineEntry],
    *,
    now: datetime,
    end_evidence: dict[str, Any] | None = None,
) -> None:
    """Write an emergency that this transaction has locked, and add the entries to its timeline; see `save_answered`."""
    values = {
        "state": emergency.state,
        "state_since": emergency.state_since,
        "steps": _STEPS.dump_python(emergency.steps, mode="json"),
        "ended_at": emergency.ended_at,
        "end_reason": emergency.end_reason,
    } | ({} if end_evidence is None else {"end_evidence": end_evidence})
    await session.execute(update(EmergencyRow).where(EmergencyRow.id == emergency.id).values(values))
    last = select(func.max(EmergencyEntryRow.number)).where(EmergencyEntryRow.emergency_id == emergency.id)
    first = ((await session.execute(last)).scalar() or 0) + 1
    rows = [
        {
            "emergency_id": emergency.id,
            "number": number,
            "at": now,
            "kind": entry.kind,
            "step": entry.step,
            "actor": entry.actor,
            "text": entry.text,
        }
        for number, entry in enumerate(entries, first)
    ]
    if rows:
        await session.execute(insert(EmergencyEntryRow), rows)


async def list_entries(session: ReadSession | WriteSession, number: int) -> list[DatedEntry]:
    """List the timeline of an emergency, oldest first."""
    query = select(EmergencyEntryRow).where(EmergencyEntryRow.emergency_id == number).order_by(EmergencyEntryRow.number)
    return [
        DatedEntry(
            row.number,
            row.at.astimezone(UTC),
            TimelineEntry(row.kind, row.text, row.step, None if row.actor is None else Address(row.actor)),
        )
        for row in await session.scalars(query)
    ]


async def list_drill_signers(session: ReadSession | WriteSession, drill: Emergency, step: EmergencyStep) -> frozenset[Address]:
    """Return who has signed this attempt at a step of a drill."""
    query = select(EmergencyEntryRow.actor).where(
        EmergencyEntryRow.emergency_id == drill.id,
        EmergencyEntryRow.kind == EntryKind.SIGNED,
        EmergencyEntryRow.step == step.kind,
        EmergencyEntryRow.at >= (step.proposed_at or drill.started_at),
    )
    return frozenset(Address(actor) for actor in await session.scalars(query) if actor is not None)


def _stored(row: EmergencyRow) -> StoredEmergency:
    emergency = Emergency(
        id=row.id,
        is_drill=row.is_drill,
        state=row.state,
        started_at=row.started_at.astimezone(UTC),
        state_since=row.state_since.astimezone(UTC),
        critical_since=row.critical_since.astimezone(UTC),
        steps=_STEPS.validate_python(row.steps),
        ended_at=None if row.ended_at is None else as_utc(row.ended_at),
        end_reason=row.end_reason,
    )
    started_by = None if row.started_by is None else Address(row.started_by)
    return StoredEmergency(emergency, started_by, row.evidence, row.end_evidence)
