"""Raise the ticket of a plan, and follow what its Safe's owners have signed.

An owner's signature over the Safe transaction is the vote. It counts if the owner is a person here who may sign proposals, has
what a group of the rule asks for, and is not the one who asked for the plan. All of that is looked up again each time, so a
signature counts no longer when its owner or the owner's role is gone.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

import structlog

from paimon.application.approval_policy.publications import PolicyVersionNotFound, get_version
from paimon.application.approval_tickets.store import insert_ticket, save_outcome
from paimon.application.identity.signed_users import find_user
from paimon.application.identity.store import list_chain_roles_of
from paimon.domain.approval.plan_ticket import PlanTicket, count_signatures, expire
from paimon.domain.approval.policy import Approver
from paimon.domain.kernel.chain import Address, ContractName, OnChainRole
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.user.roles import ChainRole, Permission
from paimon.infrastructure.database.sessions import ReadSession, WriteSession
from paimon.infrastructure.queue import outbox

log = structlog.get_logger(__name__)

PLAN_TICKET: Final = "plan_ticket"
"""Kind of the outbox message that tells watchers of a plan's ticket."""

_VIP_APPROVER: Final = ChainRole(ContractName.REDEMPTION_MANAGER, OnChainRole.VIP_APPROVER_ROLE)


async def raise_plan_ticket(session: WriteSession, ticket: PlanTicket) -> None:
    """Insert the ticket in the transaction of its plan."""
    await insert_ticket(session, ticket)
    await announce(session, ticket)
    log.info("ticket.opened", ticket_id=ticket.id, type=ticket.type, deadline_at=ticket.deadline_at.isoformat())


async def announce(session: WriteSession, ticket: PlanTicket) -> None:
    """Have the watchers told of the ticket as it will be after the commit."""
    await outbox.add(session, PLAN_TICKET, ticket.id, priority=OutboxPriority.HIGH)


async def follow_signatures(
    session: WriteSession,
    ticket: PlanTicket,
    signers: Collection[Address],
    *,
    threshold: int,
    scope: SigningScope,
    now: datetime,
) -> PlanTicket:
    """Return the locked ticket by the signatures of these present owners, and save what changed of it."""
    counting = [owner for owner in signers if owner != ticket.requested_by]
    is_met = len(counting) >= max(threshold, ticket.required_approvals) and await _is_met(session, ticket, counting, scope)
    counted = expire(count_signatures(ticket, len(counting), is_met=is_met, now=now), now=now)
    await save_change(session, ticket, counted)
    return counted


async def save_change(session: WriteSession, before: PlanTicket, after: PlanTicket) -> None:
    """Save the ticket if its status or its end has changed."""
    if after is before:
        return
    await save_outcome(session, after)
    if after.status is not before.status or after.closed_at != before.closed_at:
        log.info("ticket.changed", ticket_id=after.id, before=before.status, status=after.status, reason=after.void_reason)
        await announce(session, after)


async def _is_met(session: ReadSession | WriteSession, ticket: PlanTicket, owners: list[Address], scope: SigningScope) -> bool:
    try:
        policy = (await get_version(session, ticket.policy_version, scope)).policy
    except PolicyVersionNotFound as error:  # its signature counts no longer: what it asked for is not known
        log.critical("ticket.policy_not_signed", ticket_id=ticket.id, reason=str(error))
        return False
    required = policy.requirement(ticket.rules)
    assert required is not None  # noqa: S101 — a ticket names the rules that asked for it
    return required.is_met_by(await list_approvers(session, owners, scope))


async def list_approvers(
    session: ReadSession | WriteSession, owners: Collection[Address], scope: SigningScope
) -> list[Approver]:
    """Return the owners who may approve a plan now, each as what they approve."""
    held = await list_chain_roles_of(session, owners)
    users = [await find_user(session, owner, scope) for owner in owners]
    return [
        Approver(user.address, user.role, holds_vip_role=_VIP_APPROVER in held.get(user.address, frozenset()))
        for user in users
        if user is not None and user.may(Permission.SIGN_PROPOSALS)
    ]
