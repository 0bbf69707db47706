"""Tickets and votes in the database: `approval_tickets`, `approval_records`, and who holds the approver role."""

from datetime import datetime
from typing import Final

from sqlalchemy import Select, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from paimon.application.common.signing_rules import SignatureEvidence
from paimon.domain.approval.ticket import SlaStage, Ticket, TicketStatus, Vote
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.domain.kernel.units import RawAmount
from paimon.errors import NotFound
from paimon.infrastructure.database.clock import as_utc
from paimon.infrastructure.database.models.base import table_of
from paimon.infrastructure.database.models.ops.approval import ApprovalRecordRow, ApprovalTicketRow, InvalidVoteRow
from paimon.infrastructure.database.sessions import WriteSession


class TicketNotFound(NotFound):
    """No ticket has this id."""


def to_domain(row: ApprovalTicketRow) -> Ticket:
    """Return the ticket with its votes; the row must be loaded with its records."""
    return Ticket(
        id=row.id,
        type=row.type,
        request_id=row.request_id,
        owner=Address(row.owner),
        receiver=Address(row.receiver),
        gross_amount=RawAmount(row.gross_amount),
        policy_version=row.policy_version,
        rules=tuple(row.rules),
        required_approvals=row.required_approvals,
        opened_at=row.opened_at,
        warn_at=row.warn_at,
        escalate_at=row.escalate_at,
        deadline_at=row.deadline_at,
        status=row.status,
        votes=tuple(_vote(record) for record in row.records if record.invalid is None),
        invalid_votes=tuple(_vote(record) for record in row.records if record.invalid is not None),
        decided_at=row.decided_at,
        closed_at=row.closed_at,
        decided_externally=row.decided_externally,
    )


def _vote(record: ApprovalRecordRow) -> Vote:
    terms = SignatureTerms(Hash32(record.nonce), as_utc(record.expires_at))
    return Vote(Address(record.voter), record.verdict, record.reason, record.decided_at, terms, record.signature)


def with_records(query: Select[ApprovalTicketRow]) -> Select[ApprovalTicketRow]:
    """Load each ticket's votes too, with their marks. (PostgreSQL refuses a join beside FOR UPDATE.)"""
    return query.options(selectinload(ApprovalTicketRow.records).joinedload(ApprovalRecordRow.invalid))


async def find_ticket(session: AsyncSession, ticket_id: str) -> Ticket | None:
    row = (
        await session.scalars(with_records(select(ApprovalTicketRow).where(ApprovalTicketRow.id == ticket_id)))
    ).one_or_none()
    return to_domain(row) if row else None


async def get_ticket(session: AsyncSession, ticket_id: str) -> Ticket:
    """Return the ticket.

    Raises:
        TicketNotFound
    """
    if (ticket := await find_ticket(session, ticket_id)) is None:
        raise TicketNotFound(f"there is no ticket {ticket_id}")
    return ticket


async def find_ticket_for_request(session: AsyncSession, request_id: int) -> Ticket | None:
    query = with_records(select(ApprovalTicketRow).where(ApprovalTicketRow.request_id == request_id))
    row = (await session.scalars(query)).one_or_none()
    return to_domain(row) if row else None


async def lock_ticket(session: WriteSession, ticket_id: str) -> Ticket | None:
    """Lock the ticket until this transaction ends, and return it with every vote committed before.

    `populate_existing` matters: a copy that this session read before it waited for the lock would lack the others' votes.
    """
    query = (
        with_records(select(ApprovalTicketRow).where(ApprovalTicketRow.id == ticket_id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = (await session.scalars(query)).one_or_none()
    return to_domain(row) if row else None


async def list_decided(session: AsyncSession) -> list[Ticket]:
    """List tickets that votes have decided and the chain has not closed."""
    query = with_records(select(ApprovalTicketRow)).where(
        ApprovalTicketRow.status.in_((TicketStatus.APPROVED, TicketStatus.REJECTED)), ApprovalTicketRow.closed_at.is_(None)
    )
    return [to_domain(row) for row in await session.scalars(query)]


async def lock_unclosed(session: WriteSession) -> list[Ticket]:
    """Lock every ticket that the chain has not closed and that has votes."""
    query = (
        with_records(select(ApprovalTicketRow))
        .where(ApprovalTicketRow.closed_at.is_(None), ApprovalTicketRow.records.any())
        .order_by(ApprovalTicketRow.id)
        .with_for_update(of=ApprovalTicketRow)
        .execution_options(populate_existing=True)
    )
    return [to_domain(row) for row in await session.scalars(query)]


async def mark_invalid(session: WriteSession, vote: Vote, reason: str) -> None:
    """Mark a recorded vote as one that does not verify."""
    assert vote.terms is not None  # noqa: S101 — it is read from a row
    session.add(InvalidVoteRow(nonce=vote.terms.nonce, reason=reason))
    await session.flush()


async def lock_late(session: WriteSession, *, now: datetime) -> list[tuple[Ticket, SlaStage]]:
    """Lock the open tickets past their first deadline, most urgent first, each with the SLA stage announced last.

    Tickets that another sweep has locked are left to it (SKIP LOCKED).
    """
    query = (
        with_records(select(ApprovalTicketRow))
        .where(
            ApprovalTicketRow.closed_at.is_(None),
            ApprovalTicketRow.warn_at <= now,
            ApprovalTicketRow.sla_stage != SlaStage.OVERDUE,
        )
        .order_by(ApprovalTicketRow.deadline_at)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return [(to_domain(row), row.sla_stage) for row in await session.scalars(query)]


async def save_sla_stage(session: WriteSession, ticket_id: str, stage: SlaStage) -> None:
    """Write which SLA stage was announced."""
    await session.execute(
        update(ApprovalTicketRow)
        .where(ApprovalTicketRow.id == ticket_id)
        .values(sla_stage=stage)
        .execution_options(synchronize_session=False)
    )


_TICKETS: Final = table_of(ApprovalTicketRow)
_INSERT_TICKET: Final = insert(_TICKETS).on_conflict_do_nothing().returning(_TICKETS.c.id)


async def insert_ticket(session: WriteSession, ticket: Ticket) -> bool:
    """Insert the ticket; False when its request has a ticket already."""
    row = {
        "id": ticket.id,
        "type": ticket.type,
        "request_id": ticket.request_id,
        "owner": ticket.owner,
        "receiver": ticket.receiver,
        "gross_amount": ticket.gross_amount,
        "policy_version": ticket.policy_version,
        "rules": list(ticket.rules),
        "required_approvals": ticket.required_approvals,
        "status": ticket.status,
        "opened_at": ticket.opened_at,
        "warn_at": ticket.warn_at,
        "escalate_at": ticket.escalate_at,
        "deadline_at": ticket.deadline_at,
    }
    return (await session.execute(_INSERT_TICKET, row)).scalar_one_or_none() is not None


async def save_outcome(session: WriteSession, ticket: Ticket) -> None:
    """Write what votes and the chain may change of a ticket; the rest is a snapshot and never changes."""
    await session.execute(
        update(ApprovalTicketRow)
        .where(ApprovalTicketRow.id == ticket.id)
        .values(
            status=ticket.status,
            decided_at=ticket.decided_at,
            closed_at=ticket.closed_at,
            decided_externally=ticket.decided_externally,
        )
        .execution_options(synchronize_session=False)
    )


async def insert_record(session: WriteSession, ticket_id: str, vote: Vote, evidence: SignatureEvidence) -> None:
    """Insert an accepted vote with its evidence."""
    session.add(
        ApprovalRecordRow(
            nonce=evidence.terms.nonce,
            ticket_id=ticket_id,
            voter=vote.voter,
            verdict=vote.verdict,
            reason=vote.reason,
            typed_data=evidence.document,
            signature=evidence.signature,
            expires_at=evidence.terms.expires_at,
            decided_at=vote.decided_at,
        )
    )
    await session.flush()
