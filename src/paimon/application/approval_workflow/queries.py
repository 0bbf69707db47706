"""Reads of tickets: lists by state, and how the house keeps its promised times."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.approval_workflow.store import get_ticket, to_domain, with_records
from paimon.application.transactions.queries import list_intents_for
from paimon.domain.approval.ticket import SlaStage, Ticket, TicketStatus, TicketType, Verdict
from paimon.domain.kernel.chain import Address
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.approval import ApprovalRecordRow, ApprovalTicketRow
from paimon.infrastructure.database.models.ops.transaction import IntentRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page

OPEN_TICKETS_MAX: Final = 1_000
"""The report lists at most so many tickets that are not closed, the most urgent first."""


async def list_tickets(
    session: AsyncSession,
    page: PageRequest,
    *,
    status: TicketStatus | None = None,
    kind: TicketType | None = None,
) -> Page[Ticket]:
    """Tickets, latest first."""
    clauses: list[ColumnElement[bool]] = []
    if status is not None:
        clauses.append(ApprovalTicketRow.status == status)
    if kind is not None:
        clauses.append(ApprovalTicketRow.type == kind)
    query = select(ApprovalTicketRow).where(*clauses).order_by(ApprovalTicketRow.opened_at.desc(), ApprovalTicketRow.id.desc())
    return await fetch_page(session, with_records(query), page, to_domain)


async def tickets_of_requests(session: AsyncSession, request_ids: Iterable[int]) -> dict[int, Ticket]:
    """The tickets of these requests, by request id; a request without one is absent."""
    query = with_records(select(ApprovalTicketRow).where(ApprovalTicketRow.request_id.in_(list(request_ids))))
    return {row.request_id: to_domain(row) for row in await session.scalars(query)}


@dataclass(frozen=True, slots=True)
class SlaFigures:
    """How one kind of ticket was served so far. A ticket counts as late by its decision, or while it waits, by now."""

    kind: TicketType
    opened: int
    waiting: int
    decided_on_time: int
    decided_late: int
    decided_externally: int
    cancelled: int
    decision_seconds_mean: float | None


@dataclass(frozen=True, slots=True)
class SlaReport:
    """The figures by kind, and every ticket that is not closed yet, most urgent first."""

    at: datetime
    figures: list[SlaFigures]
    stages: dict[SlaStage, int]
    waiting: list[Ticket]


async def sla_report(session: AsyncSession, *, now: datetime) -> SlaReport:
    """The promised times against what happened, as of `now`."""
    cancelled = ApprovalTicketRow.status == TicketStatus.CANCELLED
    decided = ApprovalTicketRow.decided_at.is_not(None) & ~cancelled
    on_time = ApprovalTicketRow.decided_at <= ApprovalTicketRow.deadline_at
    seconds = func.extract("epoch", ApprovalTicketRow.decided_at - ApprovalTicketRow.opened_at)
    query = (
        select(
            ApprovalTicketRow.type,
            func.count().label("opened"),
            func.count().filter(ApprovalTicketRow.decided_at.is_(None)).label("waiting"),
            func.count().filter(decided & on_time).label("decided_on_time"),
            func.count().filter(decided & ~on_time).label("decided_late"),
            func.count().filter(ApprovalTicketRow.decided_externally).label("decided_externally"),
            func.count().filter(cancelled).label("cancelled"),
            func.avg(seconds).filter(decided).label("mean"),
        )
        .group_by(ApprovalTicketRow.type)
        .order_by(ApprovalTicketRow.type)
    )
    figures = [
        SlaFigures(
            kind=row.type,
            opened=row.opened,
            waiting=row.waiting,
            decided_on_time=row.decided_on_time,
            decided_late=row.decided_late,
            decided_externally=row.decided_externally,
            cancelled=row.cancelled,
            decision_seconds_mean=None if row.mean is None else float(row.mean),
        )
        for row in await session.execute(query)
    ]
    open_query = (
        with_records(select(ApprovalTicketRow))
        .where(ApprovalTicketRow.closed_at.is_(None))
        .order_by(ApprovalTicketRow.deadline_at)
        .limit(OPEN_TICKETS_MAX)
    )
    waiting = [to_domain(row) for row in await session.scalars(open_query)]
    stages = Counter(ticket.sla_stage(now) for ticket in waiting)
    return SlaReport(now, figures, {stage: stages[stage] for stage in SlaStage}, waiting)


@dataclass(frozen=True, slots=True)
class RecordedVote:
    """An accepted vote with what was signed: enough to verify it without this system."""

    voter: Address
    verdict: Verdict
    reason: str
    decided_at: datetime
    expires_at: datetime
    typed_data: dict[str, Any]
    signature: bytes


@dataclass(frozen=True, slots=True)
class TicketDetail:
    """One ticket with everything kept about it, as of `read_at`."""

    ticket: Ticket
    votes: list[RecordedVote]
    intents: list[IntentRow]
    read_at: datetime


async def get_ticket_detail(session: AsyncSession, ticket_id: str) -> TicketDetail:
    """Raises TicketNotFound."""
    ticket = await get_ticket(session, ticket_id)
    query = select(ApprovalRecordRow).where(ApprovalRecordRow.ticket_id == ticket_id).order_by(ApprovalRecordRow.decided_at)
    return TicketDetail(
        ticket=ticket,
        votes=[_recorded_vote(row) for row in await session.scalars(query)],
        intents=[each for each in await list_intents_for(session, ticket.request_id) if each.ticket_id == ticket_id],
        read_at=await database_now(session),
    )


def _recorded_vote(row: ApprovalRecordRow) -> RecordedVote:
    return RecordedVote(
        voter=row.voter,
        verdict=row.verdict,
        reason=row.reason,
        decided_at=row.decided_at,
        expires_at=row.expires_at,
        typed_data=row.typed_data,
        signature=row.signature,
    )
