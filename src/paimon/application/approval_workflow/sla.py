"""The sweep over deadlines: says once for every stage that a ticket is late. Nothing is decided by being late.

Deadlines are rows, so no timer is lost with a process; two sweeps at once share the work (SKIP LOCKED) and announce
nothing twice, because the stage announced is stored with the lock held.
"""

from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import select

from paimon.application.approval_workflow.store import to_domain, with_records
from paimon.domain.approval.ticket import SlaStage, Ticket
from paimon.infrastructure.database.models.ops.approval import ApprovalTicketRow
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

_STAGES: Final = tuple(SlaStage)


async def sweep_deadlines(session: WriteSession, *, now: datetime) -> list[Ticket]:
    """The tickets that became later than was announced so far."""
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
    late: list[Ticket] = []
    for row in await session.scalars(query):
        ticket = to_domain(row)
        stage = ticket.sla_stage(now)
        if _STAGES.index(stage) <= _STAGES.index(row.sla_stage):
            continue
        row.sla_stage = stage
        late.append(ticket)
        announce = log.critical if stage is SlaStage.OVERDUE else log.warning
        announce(
            "ticket.became_late",
            ticket_id=ticket.id,
            stage=stage,
            status=ticket.status,
            deadline_at=ticket.deadline_at.isoformat(),
        )
    return late
