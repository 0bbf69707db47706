"""Reads of tickets: lists by status, one ticket with its details, and the SLA report."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.approval_tickets.store import get_ticket, of_redemption, to_domain, with_records
from paimon.application.approval_workflow.verify_votes import invalid_reason, verify_votes
from paimon.application.transactions.queries import list_intents_about
from paimon.domain.approval.plan_ticket import AnyTicket, PlanTicket
from paimon.domain.approval.ticket import RedemptionTicket, SlaStage, TicketStatus, TicketType, Verdict
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.transaction.intent import IntentWithAttempts
from paimon.domain.transaction.intent_subject import IntentSubject
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.approval import ApprovalRecordRow, ApprovalTicketRow
from paimon.infrastructure.database.paging import Page, PageRequest, fetch_page, latest_first

OPEN_TICKETS_MAX: Final = 1_000
"""How many tickets that are not closed the SLA report lists at most, the most urgent first."""


async def list_tickets(
    session: AsyncSession,
    page: PageRequest,
    *,
    status: TicketStatus | None = None,
    kind: TicketType | None = None,
) -> Page[AnyTicket]:
    """List tickets, latest first."""
    clauses: list[ColumnElement[bool]] = []
    if status is not None:
        clauses.append(ApprovalTicketRow.status == status)
    if kind is not None:
        clauses.append(ApprovalTicketRow.type == kind)
    query = with_records(select(ApprovalTicketRow).where(*clauses))
    order = latest_first(ApprovalTicketRow.opened_at, ApprovalTicketRow.id)
    return await fetch_page(session, query, page, to_domain, order=order)


async def tickets_by_request(session: AsyncSession, request_ids: Iterable[int]) -> dict[int, RedemptionTicket]:
    """Return the tickets of these requests by request id; a request without a ticket is absent."""
    query = with_records(select(ApprovalTicketRow).where(ApprovalTicketRow.request_id.in_(list(request_ids))))
    tickets = [of_redemption(to_domain(row)) for row in await session.scalars(query)]
    return {ticket.request_id: ticket for ticket in tickets}


@dataclass(frozen=True, slots=True)
class SlaFigures:
    """Counts of one type of ticket. A decided ticket is late by its decision, a waiting one by the present time."""

    kind: TicketType
    opened: int
    waiting: int
    decided_on_time: int
    decided_late: int
    decided_externally: int
    cancelled: int
    decision_seconds_mean: float | None


@dataclass(frozen=True, slots=True)
class ApproverFigures:
    """Counts of one approver's votes that verify. A vote is late after its ticket's deadline."""

    approver: Address
    votes: int
    approvals: int
    rejections: int
    late: int
    seconds_mean: float
    """From the opening of the ticket to the vote."""


@dataclass(frozen=True, slots=True)
class SlaFilter:
    """The tickets of a report: of one type, opened from the first day to the last, in UTC, both included."""

    kind: TicketType | None = None
    first_day: date | None = None
    last_day: date | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        opened_at = ApprovalTicketRow.opened_at
        conditions: list[ColumnElement[bool]] = []
        if self.kind is not None:
            conditions.append(ApprovalTicketRow.type == self.kind)
        if self.first_day is not None:
            conditions.append(opened_at >= _midnight(self.first_day))
        if self.last_day is not None:
            conditions.append(opened_at < _midnight(self.last_day) + timedelta(days=1))
        return conditions


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


_EVERY_TICKET: Final = SlaFilter()


@dataclass(frozen=True, slots=True)
class SlaReport:
    """The figures by type and by approver, and the tickets that are not closed, most urgent first."""

    at: datetime
    figures: list[SlaFigures]
    approvers: list[ApproverFigures]
    stages: dict[SlaStage, int]
    waiting: list[AnyTicket]


async def sla_report(session: AsyncSession, filters: SlaFilter = _EVERY_TICKET, *, now: datetime) -> SlaReport:
    """Compare the SLA of these tickets with the decisions taken until `now`."""
    conditions = filters.conditions()
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
        .where(*conditions)
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
        .where(ApprovalTicketRow.closed_at.is_(None), *conditions)
        .order_by(ApprovalTicketRow.deadline_at)
        .limit(OPEN_TICKETS_MAX)
    )
    waiting = [to_domain(row) for row in await session.scalars(open_query)]
    stages = Counter(ticket.sla_stage(now) for ticket in waiting)
    approvers = await _approver_figures(session, conditions)
    return SlaReport(now, figures, approvers, {stage: stages[stage] for stage in SlaStage}, waiting)


async def _approver_figures(session: AsyncSession, conditions: list[ColumnElement[bool]]) -> list[ApproverFigures]:
    """Count the votes on these tickets by approver, who voted most first."""
    vote, ticket = ApprovalRecordRow, ApprovalTicketRow
    count = func.count()
    query = (
        select(
            vote.voter,
            count.label("votes"),
            count.filter(vote.verdict == Verdict.APPROVE).label("approvals"),
            count.filter(vote.verdict == Verdict.REJECT).label("rejections"),
            count.filter(vote.decided_at > ticket.deadline_at).label("late"),
            func.avg(func.extract("epoch", vote.decided_at - ticket.opened_at)).label("mean"),
        )
        .join(ticket, ticket.id == vote.ticket_id)
        .where(~vote.invalid.has(), *conditions)
        .group_by(vote.voter)
        .order_by(count.desc(), vote.voter)
    )
    return [
        ApproverFigures(Address(row.voter), row.votes, row.approvals, row.rejections, row.late, float(row.mean))
        for row in await session.execute(query)
    ]


@dataclass(frozen=True, slots=True)
class RecordedVote:
    """An accepted vote with what was signed: enough to verify it without this system.

    An owner's signature has no document here: it is over the Safe transaction.
    """

    voter: Address
    verdict: Verdict
    reason: str
    decided_at: datetime
    expires_at: datetime | None
    typed_data: dict[str, Any] | None
    signature: bytes
    invalid_reason: str | None
    """Why the vote counts for nothing; None for one that verifies."""


@dataclass(frozen=True, slots=True)
class TicketDetail:
    """One ticket with its votes and intents, as of `read_at`."""

    ticket: AnyTicket
    votes: list[RecordedVote]
    intents: list[IntentWithAttempts]
    read_at: datetime


async def get_ticket_detail(session: AsyncSession, ticket_id: str, scope: SigningScope) -> TicketDetail:
    """Return the ticket by its votes that verify, with its details; each vote is verified now.

    Raises:
        TicketNotFound
    """
    ticket = verify_votes(await get_ticket(session, ticket_id), scope)
    query = select(ApprovalRecordRow).where(ApprovalRecordRow.ticket_id == ticket_id).order_by(ApprovalRecordRow.decided_at)
    reasons = {vote.terms.nonce: invalid_reason(ticket, vote, scope) for vote in ticket.invalid_votes if vote.terms}
    return TicketDetail(
        ticket=ticket,
        votes=[
            *_signatures(ticket),
            *[_recorded_vote(row, reasons.get(row.nonce)) for row in await session.scalars(query)],
        ],
        intents=await _intents(session, ticket),
        read_at=await database_now(session),
    )


async def _intents(session: AsyncSession, ticket: AnyTicket) -> list[IntentWithAttempts]:
    """Return the calls that the votes led to: the decision of a redemption, or the Safe's execution of a plan."""
    if isinstance(ticket, PlanTicket):
        return await list_intents_about(session, IntentSubject.safe_transaction(ticket.safe_tx_hash))
    found = await list_intents_about(session, IntentSubject.redemption(ticket.request_id))
    return [intent for intent in found if intent.ticket_id == ticket.id]


def _signatures(ticket: AnyTicket) -> list[RecordedVote]:
    return [
        RecordedVote(vote.voter, vote.verdict, vote.reason, vote.decided_at, None, None, vote.signature, None)
        for vote in ticket.votes
        if isinstance(ticket, PlanTicket) and vote.terms is None
    ]


def _recorded_vote(row: ApprovalRecordRow, invalid_reason: str | None) -> RecordedVote:
    return RecordedVote(
        voter=row.voter,
        verdict=row.verdict,
        reason=row.reason,
        decided_at=row.decided_at,
        expires_at=row.expires_at,
        typed_data=row.typed_data,
        signature=row.signature,
        invalid_reason=invalid_reason,
    )
