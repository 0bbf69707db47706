"""Review the tickets of plans: what the Safe did, who has signed, the deadline, and whether the plan has drifted.

Level-triggered, by a worker, before it executes what is ready. In this order:

    the Safe has used the nonce     the ticket is closed; an execution that no approval preceded is a critical risk event
    the plan has drifted            the ticket is VOID, and a risk event says why
    otherwise                       the signatures of present owners are counted, and a passed deadline ends the voting

A plan has drifted when it would move an amount that differs by more than `DRIFT_MAX_BPS`, or when its first call passed as the
ticket was raised and would no longer pass. Both are read at one final block at which the Safe had not used the nonce, so that
its own execution is no drift. A node that does not answer proves nothing.
"""

from typing import Final

import structlog

from paimon.application.approval_tickets.plan_tickets import follow_signatures, save_change
from paimon.application.approval_tickets.store import list_unclosed_plan_tickets, lock_plan_ticket
from paimon.application.common.chain_position import chain_position
from paimon.application.risk_control.record_findings import record_facts
from paimon.application.transactions.multisig.store import get_proposal, lock_safe, tally_of, view_of
from paimon.application.transactions.plans.calls import InvalidPlan, read_recorded_call
from paimon.application.transactions.plans.context import PlanContext
from paimon.application.transactions.plans.select_wallet import value_calls
from paimon.application.transactions.plans.simulate import first_failure, simulate_calls
from paimon.application.transactions.plans.store import list_recorded_calls
from paimon.domain.approval.plan_ticket import PlanTicket, adopt_nonce_use, void
from paimon.domain.approval.ticket import TicketStatus
from paimon.domain.kernel.chain import Address
from paimon.domain.kernel.units import RawAmount
from paimon.domain.risk.risk_event import Finding, RiskKind, Severity
from paimon.domain.transaction.plan import has_amount_drifted
from paimon.domain.transaction.safe_proposal import ProposalOutcome
from paimon.domain.transaction.safe_transaction import SafeName
from paimon.domain.transaction.wallet_selection import format_whole_units
from paimon.infrastructure.blockchain.contracts.safe import UnexpectedSafe
from paimon.infrastructure.blockchain.rpc.errors import RpcError, RpcUnavailable
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import WriteSession

log = structlog.get_logger(__name__)

_EXECUTED: Final = frozenset({ProposalOutcome.EXECUTED, ProposalOutcome.FAILED})


async def review_plan_tickets(context: PlanContext) -> None:
    """Bring every ticket of a plan up to date. A fault of the node delays the search for drift, and nothing else."""
    async with context.database.read() as session:
        tickets = await list_unclosed_plan_tickets(session)
    for ticket in tickets:
        try:
            drift = await find_drift(ticket, context)
        except (UnexpectedSafe, RpcUnavailable, RpcError) as error:
            log.warning("ticket.drift_not_checked", ticket_id=ticket.id, reason=str(error))
            drift = None
        async with context.database.write() as session:
            await _review(session, ticket, drift, context)


async def find_drift(ticket: PlanTicket, context: PlanContext) -> str | None:
    """Return what differs between the plan that was asked for and the one that would run now; None if nothing does.

    Raises:
        UnexpectedSafe, RpcUnavailable, RpcError.
    """
    safe = context.safe_context.safes.get(SafeName(ticket.wallet))
    if safe is None or not ticket.is_undecided:
        return None
    async with context.database.read() as session:
        recorded = await list_recorded_calls(session, ticket.plan_id)
        nonce = (await get_proposal(session, ticket.safe_tx_hash)).nonce
    calls = [read_recorded_call(contract, call, description, context.contracts) for contract, call, description in recorded]
    try:
        valued = await value_calls(calls, context)
    except InvalidPlan as error:
        return str(error)
    if (await context.safe_context.contract(safe).view(at=valued.at)).nonce > nonce:
        return None
    amount = RawAmount(sum(call.amount for call in valued.planned))
    if has_amount_drifted(ticket.amount, amount):
        now, then = format_whole_units(amount, valued.decimals), format_whole_units(ticket.amount, valued.decimals)
        return f"it would move {now} now, {then} were asked for"
    failure = first_failure(await simulate_calls(valued, safe, context.contracts)) if ticket.passed_when_raised else None
    return None if failure is None else f"{ticket.calls[0]} would no longer pass: {failure}"


async def _review(session: WriteSession, known: PlanTicket, drift: str | None, context: PlanContext) -> None:
    proposal = await get_proposal(session, known.safe_tx_hash)
    safe = view_of(await lock_safe(session, Address(proposal.safe)))
    ticket = await lock_plan_ticket(session, known.safe_tx_hash)
    assert ticket is not None  # noqa: S101 — a ticket is never deleted
    proposal = await get_proposal(session, known.safe_tx_hash)  # as it is under the lock
    now = await database_now(session)
    if proposal.outcome is not None:
        closed = adopt_nonce_use(ticket, is_executed=proposal.outcome in _EXECUTED, now=now)
        await save_change(session, ticket, closed)
        if closed.status is TicketStatus.APPROVED and closed.decided_externally:
            await _report(session, _unapproved_execution(ticket))
    elif drift is not None and ticket.is_undecided:
        await save_change(session, ticket, void(ticket, drift, now=now))
        await _report(session, _voided(ticket, drift))
    else:
        signers = tally_of(proposal, safe).valid_signers
        await follow_signatures(session, ticket, signers, threshold=safe.threshold, scope=context.signing_rules.scope, now=now)


async def _report(session: WriteSession, finding: Finding) -> None:
    at = await chain_position(session)
    await record_facts(session, [finding], block=at.number if at else 0)


def _unapproved_execution(ticket: PlanTicket) -> Finding:
    subject = f"ticket {ticket.id} of plan {ticket.plan}"
    return Finding(RiskKind.UNAPPROVED_EXECUTION, subject, ticket.status, TicketStatus.APPROVED, Severity.CRITICAL)


def _voided(ticket: PlanTicket, drift: str) -> Finding:
    subject = f"ticket {ticket.id} of plan {ticket.plan}"
    return Finding(RiskKind.TICKET_VOID, subject, drift, "the plan that was asked for", Severity.WARNING)
