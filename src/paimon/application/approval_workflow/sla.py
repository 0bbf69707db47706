"""Announce late tickets, once for every SLA stage. A deadline ends the voting on a plan where the policy's rule says so.

Deadlines are rows, so no timer is lost with a process. Two sweeps at once share the work and announce nothing twice, because
the announced stage is stored while the ticket is locked.
"""

from datetime import datetime
from typing import Final

import structlog

from paimon.application.approval_tickets.plan_tickets import save_change
from paimon.application.approval_tickets.store import lock_late, save_sla_stage
from paimon.domain.approval.plan_ticket import AnyTicket, PlanTicket, expire
from paimon.domain.approval.ticket import SlaStage
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

_STAGES: Final = tuple(SlaStage)


async def sweep_deadlines(session: WriteSession, *, now: datetime) -> list[AnyTicket]:
    """Announce tickets that reached a later SLA stage than the last announced one, and return them."""
    late: list[AnyTicket] = []
    for ticket, announced in await lock_late(session, now=now):
        stage = ticket.sla_stage(now)
        if _STAGES.index(stage) <= _STAGES.index(announced):
            continue
        await save_sla_stage(session, ticket.id, stage)
        if isinstance(ticket, PlanTicket):
            await save_change(session, ticket, expire(ticket, now=now))
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
