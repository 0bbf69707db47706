"""Reads of risk events."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.risk_control.store import to_domain
from paimon.domain.risk.risk_event import RiskEvent, RiskKind, RiskStatus, Severity
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page, latest_first


@dataclass(frozen=True, slots=True)
class RiskFilter:
    """Conditions on events; a condition that is None holds for every event."""

    status: RiskStatus | None = None
    severity: Severity | None = None
    kind: RiskKind | None = None


async def list_unresolved(session: AsyncSession, kind: RiskKind) -> list[RiskEvent]:
    """Return the unresolved events of one kind, oldest first."""
    query = select(RiskEventRow).where(RiskEventRow.kind == kind, RiskEventRow.status != RiskStatus.RESOLVED)
    return [to_domain(row) for row in await session.scalars(query.order_by(RiskEventRow.id))]


async def list_all(session: AsyncSession, kind: RiskKind) -> list[RiskEvent]:
    """Return every event of one kind, oldest first: for kinds that are rare."""
    query = select(RiskEventRow).where(RiskEventRow.kind == kind).execution_options(populate_existing=True)
    return [to_domain(row) for row in await session.scalars(query.order_by(RiskEventRow.id))]


async def list_events(session: AsyncSession, page: PageRequest, filters: RiskFilter) -> Page[RiskEvent]:
    """Return events, latest first."""
    conditions: list[ColumnElement[bool]] = []
    if filters.status is not None:
        conditions.append(RiskEventRow.status == filters.status)
    if filters.severity is not None:
        conditions.append(RiskEventRow.severity == filters.severity)
    if filters.kind is not None:
        conditions.append(RiskEventRow.kind == filters.kind)
    order = latest_first(RiskEventRow.first_seen_at, RiskEventRow.id)
    return await fetch_page(session, select(RiskEventRow).where(*conditions), page, to_domain, order=order)
