"""Reads of risk events."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.risk_control.store import to_domain
from paimon.domain.risk.risk_event import RiskEvent, RiskKind, RiskState, Severity
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page


@dataclass(frozen=True, slots=True)
class RiskFilter:
    """Which events; what is None does not matter."""

    state: RiskState | None = None
    severity: Severity | None = None
    kind: RiskKind | None = None


async def list_unresolved(session: AsyncSession, kind: RiskKind) -> list[RiskEvent]:
    """Of one kind, the oldest first."""
    query = select(RiskEventRow).where(RiskEventRow.kind == kind, RiskEventRow.state != RiskState.RESOLVED)
    return [to_domain(row) for row in await session.scalars(query.order_by(RiskEventRow.id))]


async def list_events(session: AsyncSession, page: PageRequest, wanted: RiskFilter) -> Page[RiskEvent]:
    """Events, latest first."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.state is not None:
        conditions.append(RiskEventRow.state == wanted.state)
    if wanted.severity is not None:
        conditions.append(RiskEventRow.severity == wanted.severity)
    if wanted.kind is not None:
        conditions.append(RiskEventRow.kind == wanted.kind)
    query = select(RiskEventRow).where(*conditions).order_by(RiskEventRow.first_seen_at.desc(), RiskEventRow.id.desc())
    return await fetch_page(session, query, page, to_domain)
