"""Raise the ticket of a plan, and follow what its Safe's owners have signed.

An owner's signature over the Safe transaction is the vote. It counts if the owner is a person here who may sign proposals, has
what a group of the rule asks for, and is not the one who asked for the plan. A stand-in counts in the person's place, and the
two once. All of that is looked up again each time, so a signature counts no longer when its owner, the owner's role or the
stand-in's time is gone.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

import structlog

from paimon.application.approval_policy.publications import PolicyVersionNotFound, get_version
from paimon.application.approval_tickets.stand_ins import find_pairs
from paimon.application.approval_tickets.store import insert_ticket, save_outcome
from paimon.application.identity.signed_users import find_user
from paimon.application.identity.store import list_chain_roles_of
from paimon.domain.approval.plan_ticket import PlanTicket, count_signatures, expire
from paimon.domain.approval.policy import Approver
from paimon.domain.approval.stand_in import Pairs, approver_of
from paimon.domain.kernel.chain import Address, ContractName, OnChainRole
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.operations.outbox import OutboxPriority
from paimon.domain.user.roles import ChainRole
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
    pairs = await find_pairs(session, scope, now, ticket=ticket)
    places = pairs.places(signers, without=ticket.requested_by)
    counting = sum(len(signed) for signed in places.values())  # for the Safe each owner counts, for the policy each place
    is_met = counting >= max(threshold, ticket.required_approvals) and await _is_met(session, ticket, places, pairs, scope)
    counted = expire(count_signatures(ticket, counting, is_met=is_met, now=now), now=now)
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


async def _is_met(
    session: ReadSession | WriteSession,
    ticket: PlanTicket,
    places: Mapping[Address, Collection[Address]],
    pairs: Pairs,
    scope: SigningScope,
) -> bool:
    try:
        policy = (await get_version(session, ticket.policy_version, scope)).policy
    except PolicyVersionNotFound as error:  # its signature counts no longer: what it asked for is not known
        log.critical("ticket.policy_not_signed", ticket_id=ticket.id, reason=str(error))
        return False
    required = policy.requirement(ticket.rules)
    assert required is not None  # noqa: S101 — a ticket names the rules that asked for it
    approvers = await list_approvers(session, places, scope)
    signed_at = {vote.voter: vote.decided_at for vote in ticket.votes}
    counting = pairs.without_shared({approver.address: places[approver.address] for approver in approvers}, signed_at)
    return required.is_met_by([approver for approver in approvers if approver.address in counting])


async def list_approvers(
    session: ReadSession | WriteSession, places: Mapping[Address, Collection[Address]], scope: SigningScope
) -> list[Approver]:
    """Return what each place approves a plan as now; `places` has those who signed by the person in whose place they did."""
    people = {*places, *(signer for signers in places.values() for signer in signers)}
    held = await list_chain_roles_of(session, people)
    holders = [address for address, roles in held.items() if _VIP_APPROVER in roles]
    found = {address: await find_user(session, address, scope) for address in people}
    users = {address: user for address, user in found.items() if user is not None}
    approvers = (approver_of(place, signers, users, holders) for place, signers in places.items())
    return [approver for approver in approvers if approver is not None]
