"""Rows of `approval_tickets` and `approval_records` as domain tickets with their votes."""

from typing import Final

from sqlalchemy import Select, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from paimon.application.common.signed_action import SignatureEvidence
from paimon.domain.approval.ticket import Ticket, Vote
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.errors import NotFound
from paimon.infrastructure.database.models.base import table_of
from paimon.infrastructure.database.models.ops.approval import ApprovalRecordRow, ApprovalTicketRow
from paimon.infrastructure.database.sessions import WriteSession


class TicketNotFound(NotFound):
    """No ticket has this id."""


def to_domain(row: ApprovalTicketRow) -> Ticket:
    """The ticket with its votes; the row must have been loaded with its records."""
    return Ticket(
        id=row.id,
        type=row.type,
        request_id=row.request_id,
        owner=Address(row.owner),
        receiver=Address(row.receiver),
        gross_amount=RawAmount(row.gross_amount),
        policy_version=row.policy_version,
        required_approvals=row.required_approvals,
        opened_at=row.opened_at,
        warn_at=row.warn_at,
        escalate_at=row.escalate_at,
        deadline_at=row.deadline_at,
        status=row.status,
        votes=tuple(Vote(Address(each.voter), each.verdict, each.reason, each.decided_at) for each in row.records),
        decided_at=row.decided_at,
        closed_at=row.closed_at,
        decided_externally=row.decided_externally,
    )


def with_records(query: Select[ApprovalTicketRow]) -> Select[ApprovalTicketRow]:
    """The query, loading each ticket's votes too. (A join is refused by PostgreSQL beside FOR UPDATE.)"""
    return query.options(selectinload(ApprovalTicketRow.records))


async def find_ticket(session: AsyncSession, ticket_id: str) -> Ticket | None:
    row = (
        await session.scalars(with_records(select(ApprovalTicketRow).where(ApprovalTicketRow.id == ticket_id)))
    ).one_or_none()
    return to_domain(row) if row else None


async def get_ticket(session: AsyncSession, ticket_id: str) -> Ticket:
    """Raises TicketNotFound."""
    if (ticket := await find_ticket(session, ticket_id)) is None:
        raise TicketNotFound(f"there is no ticket {ticket_id}")
    return ticket


async def find_ticket_of_request(session: AsyncSession, request_id: int) -> Ticket | None:
    query = with_records(select(ApprovalTicketRow).where(ApprovalTicketRow.request_id == request_id))
    row = (await session.scalars(query)).one_or_none()
    return to_domain(row) if row else None


async def lock_ticket(session: WriteSession, ticket_id: str) -> Ticket | None:
    """The ticket as it is once everyone before us has committed; others wait for this transaction.

    `populate_existing` matters: a copy this session read before it waited for the lock would lack the others' votes.
    """
    query = (
        with_records(select(ApprovalTicketRow).where(ApprovalTicketRow.id == ticket_id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = (await session.scalars(query)).one_or_none()
    return to_domain(row) if row else None


async def insert_ticket(session: WriteSession, ticket: Ticket) -> bool:
    """Whether this call inserted it; False when the request has a ticket already."""
    row = {
        "id": ticket.id,
        "type": ticket.type,
        "request_id": ticket.request_id,
        "owner": ticket.owner,
        "receiver": ticket.receiver,
        "gross_amount": ticket.gross_amount,
        "policy_version": ticket.policy_version,
        "required_approvals": ticket.required_approvals,
        "status": ticket.status,
        "opened_at": ticket.opened_at,
        "warn_at": ticket.warn_at,
        "escalate_at": ticket.escalate_at,
        "deadline_at": ticket.deadline_at,
    }
    return (await session.execute(_INSERT_TICKET, row)).scalar_one_or_none() is not None


_TICKETS: Final = table_of(ApprovalTicketRow)
_INSERT_TICKET: Final = insert(_TICKETS).on_conflict_do_nothing().returning(_TICKETS.c.id)


async def save_outcome(session: WriteSession, ticket: Ticket) -> None:
    """Write what votes and the chain may change of a ticket; the rest of it is a snapshot and stays."""
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


async def insert_record(session: WriteSession, ticket_id: str, vote: Vote, evidence: SignatureEvidence) -> bool:
    """Store an accepted vote with its evidence; False when its nonce was used before, on any ticket."""
    statement = (
        insert(ApprovalRecordRow)
        .values(
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
        .on_conflict_do_nothing(index_elements=[ApprovalRecordRow.nonce])
        .returning(ApprovalRecordRow.nonce)
    )
    return (await session.execute(statement)).scalar_one_or_none() is not None


async def nonce_is_used(session: AsyncSession, nonce: Hash32) -> bool:
    query = select(ApprovalRecordRow.nonce).where(ApprovalRecordRow.nonce == nonce)
    return (await session.execute(query)).scalar_one_or_none() is not None
