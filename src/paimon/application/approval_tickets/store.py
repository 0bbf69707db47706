"""Tickets and votes in the database: `approval_tickets`, `approval_records`, and who holds the approver role."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from paimon.application.common.signing_rules import SignatureEvidence
from paimon.domain.approval.plan_ticket import REFUSED_TICKETS, AnyTicket, PlanTicket, RefusedTicket
from paimon.domain.approval.ticket import RedemptionTicket, SlaStage, TicketStatus, Verdict, Vote
from paimon.domain.kernel.chain import Address, Hash32
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.domain.kernel.units import RawAmount
from paimon.errors import NotFound
from paimon.infrastructure.database.clock import as_utc
from paimon.infrastructure.database.models.base import table_of
from paimon.infrastructure.database.models.ops.approval import ApprovalRecordRow, ApprovalTicketRow, InvalidVoteRow
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow
from paimon.infrastructure.database.models.ops.plan import PlanRow
from paimon.infrastructure.database.sessions import WriteSession


class TicketNotFound(NotFound):
    """No ticket has this id."""


def to_domain(row: ApprovalTicketRow) -> AnyTicket:
    """Return the ticket with its votes; the row must be loaded as `with_records` does."""
    if row.plan is not None:
        return _plan_ticket(row, row.plan)
    assert row.request_id is not None  # noqa: S101 — a check of the table
    assert row.owner is not None and row.receiver is not None  # noqa: S101, PT018 — the same check
    return RedemptionTicket(
        **_common(row),
        request_id=row.request_id,
        owner=Address(row.owner),
        receiver=Address(row.receiver),
        gross_amount=RawAmount(row.gross_amount),
        votes=_recorded(row),
    )


def _plan_ticket(row: ApprovalTicketRow, plan: PlanRow) -> PlanTicket:
    proposal = plan.safe_proposal
    assert proposal is not None  # noqa: S101 — only a plan of a Safe has a ticket
    assert row.requested_by is not None and row.passed_when_raised is not None  # noqa: S101, PT018 — a check of the table
    signatures = (
        Vote(Address(signature.owner), Verdict.APPROVE, "", as_utc(signature.signed_at), signature=signature.signature)
        for signature in proposal.signatures
        if signature.owner in proposal.safe_row.owners and signature.owner != row.requested_by
    )
    return PlanTicket(
        **_common(row),
        plan_id=plan.id,
        plan=plan.name,
        calls=tuple(call.description for call in plan.calls),
        wallet=plan.wallet,
        safe_tx_hash=Hash32(proposal.hash),
        requested_by=Address(row.requested_by),
        amount=RawAmount(row.gross_amount),
        at_deadline=row.at_deadline,
        passed_when_raised=row.passed_when_raised,
        void_reason=row.void_reason,
        votes=(*signatures, *_recorded(row)),
    )


def _common(row: ApprovalTicketRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": row.type,
        "policy_version": row.policy_version,
        "rules": tuple(row.rules),
        "required_approvals": row.required_approvals,
        "opened_at": row.opened_at,
        "warn_at": row.warn_at,
        "escalate_at": row.escalate_at,
        "deadline_at": row.deadline_at,
        "status": row.status,
        "invalid_votes": tuple(_vote(record) for record in row.records if record.invalid is not None),
        "decided_at": row.decided_at,
        "closed_at": row.closed_at,
        "decided_externally": row.decided_externally,
    }


def _recorded(row: ApprovalTicketRow) -> tuple[Vote, ...]:
    return tuple(_vote(record) for record in row.records if record.invalid is None)


def _vote(record: ApprovalRecordRow) -> Vote:
    terms = SignatureTerms(Hash32(record.nonce), as_utc(record.expires_at))
    return Vote(Address(record.voter), record.verdict, record.reason, record.decided_at, terms, record.signature)


def with_records(query: Select[ApprovalTicketRow]) -> Select[ApprovalTicketRow]:
    """Load what each ticket is about and its votes too, with their marks. (PostgreSQL refuses a join beside FOR UPDATE.)"""
    plan = selectinload(ApprovalTicketRow.plan)
    proposal = plan.selectinload(PlanRow.safe_proposal)
    return query.options(
        selectinload(ApprovalTicketRow.records).joinedload(ApprovalRecordRow.invalid),
        plan.selectinload(PlanRow.calls),
        proposal.selectinload(SafeProposalRow.signatures),
        proposal.selectinload(SafeProposalRow.safe_row),
    )


async def find_ticket(session: AsyncSession, ticket_id: str) -> AnyTicket | None:
    row = (
        await session.scalars(with_records(select(ApprovalTicketRow).where(ApprovalTicketRow.id == ticket_id)))
    ).one_or_none()
    return to_domain(row) if row else None


async def get_ticket(session: AsyncSession, ticket_id: str) -> AnyTicket:
    """Return the ticket.

    Raises:
        TicketNotFound
    """
    if (ticket := await find_ticket(session, ticket_id)) is None:
        raise TicketNotFound(f"there is no ticket {ticket_id}")
    return ticket


async def find_ticket_for_request(session: AsyncSession, request_id: int) -> RedemptionTicket | None:
    query = with_records(select(ApprovalTicketRow).where(ApprovalTicketRow.request_id == request_id))
    row = (await session.scalars(query)).one_or_none()
    return of_redemption(to_domain(row)) if row else None


def of_redemption(ticket: AnyTicket) -> RedemptionTicket:
    """Return a ticket that was found by its request."""
    assert isinstance(ticket, RedemptionTicket)  # noqa: S101 — the caller asked by a request
    return ticket


async def lock_plan_ticket(session: WriteSession, safe_tx_hash: Hash32) -> PlanTicket | None:
    """Lock the ticket of the plan that this Safe transaction carries out; the Safe is locked before."""
    found = await find_plan_ticket_id(session, safe_tx_hash)
    ticket = None if found is None else await lock_ticket(session, found)
    assert ticket is None or isinstance(ticket, PlanTicket)  # noqa: S101 — it has a plan
    return ticket


async def find_plan_ticket_id(session: AsyncSession, safe_tx_hash: Hash32) -> str | None:
    """Return the id of the ticket of the plan that this Safe transaction carries out."""
    query = select(ApprovalTicketRow.id).join(PlanRow).where(PlanRow.proposal == safe_tx_hash)
    return (await session.scalars(query)).one_or_none()


async def list_refused_plan_tickets(session: AsyncSession, plan_ids: Collection[UUID]) -> dict[UUID, RefusedTicket]:
    """Return the tickets of these plans that ended without an approval while the Safe has not used the nonce, by plan."""
    row = ApprovalTicketRow
    query = select(row.plan_id, row.id, row.status, row.void_reason).where(
        row.plan_id.in_(plan_ids), row.closed_at.is_(None), row.status.in_(REFUSED_TICKETS)
    )
    found = await session.execute(query)
    return {plan_id: RefusedTicket(id_, status, reason) for plan_id, id_, status, reason in found if plan_id is not None}


async def list_unclosed_plan_tickets(session: AsyncSession) -> list[PlanTicket]:
    """List the tickets of plans whose Safe has not used the nonce, the oldest first."""
    query = with_records(select(ApprovalTicketRow)).where(
        ApprovalTicketRow.plan_id.is_not(None), ApprovalTicketRow.closed_at.is_(None)
    )
    tickets = map(to_domain, await session.scalars(query.order_by(ApprovalTicketRow.opened_at)))
    return [ticket for ticket in tickets if isinstance(ticket, PlanTicket)]


async def lock_ticket(session: WriteSession, ticket_id: str) -> AnyTicket | None:
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


async def list_decided_redemptions(session: AsyncSession) -> list[RedemptionTicket]:
    """List tickets of redemptions that votes have decided and the chain has not closed."""
    query = with_records(select(ApprovalTicketRow)).where(
        ApprovalTicketRow.status.in_((TicketStatus.APPROVED, TicketStatus.REJECTED)),
        ApprovalTicketRow.closed_at.is_(None),
        ApprovalTicketRow.request_id.is_not(None),
    )
    return [of_redemption(to_domain(row)) for row in await session.scalars(query)]


async def lock_unclosed(session: WriteSession) -> list[AnyTicket]:
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


async def lock_late(session: WriteSession, *, now: datetime) -> list[tuple[AnyTicket, SlaStage]]:
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


async def insert_ticket(session: WriteSession, ticket: AnyTicket) -> bool:
    """Insert the ticket; False when its request or plan has a ticket already."""
    row = {
        "id": ticket.id,
        "type": ticket.type,
        "policy_version": ticket.policy_version,
        "rules": list(ticket.rules),
        "required_approvals": ticket.required_approvals,
        "status": ticket.status,
        "opened_at": ticket.opened_at,
        "warn_at": ticket.warn_at,
        "escalate_at": ticket.escalate_at,
        "deadline_at": ticket.deadline_at,
        **_subject_values(ticket),
    }
    return (await session.execute(_INSERT_TICKET, row)).scalar_one_or_none() is not None


def _subject_values(ticket: AnyTicket) -> dict[str, Any]:
    if isinstance(ticket, RedemptionTicket):
        return {
            "request_id": ticket.request_id,
            "owner": ticket.owner,
            "receiver": ticket.receiver,
            "gross_amount": ticket.gross_amount,
        }
    return {
        "plan_id": ticket.plan_id,
        "requested_by": ticket.requested_by,
        "passed_when_raised": ticket.passed_when_raised,
        "at_deadline": ticket.at_deadline,
        "gross_amount": ticket.amount,
    }


async def save_outcome(session: WriteSession, ticket: AnyTicket) -> None:
    """Write what votes and the chain may change of a ticket; the rest is a snapshot and never changes."""
    await session.execute(
        update(ApprovalTicketRow)
        .where(ApprovalTicketRow.id == ticket.id)
        .values(
            status=ticket.status,
            decided_at=ticket.decided_at,
            closed_at=ticket.closed_at,
            decided_externally=ticket.decided_externally,
            **({"void_reason": ticket.void_reason} if isinstance(ticket, PlanTicket) else {}),
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
