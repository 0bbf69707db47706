"""A person's rebalance: plan with targets of their own, keep the decision, and submit it with their signature.

A newer preview of the same person ends the older one. A decision is submitted within 15 minutes, while no other plan is under
way and none has changed the fund since; the plan's own checks then compare wallet and amount with what was signed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

import structlog

from paimon.application.rebalance_engine.context import RebalanceContext
from paimon.application.rebalance_engine.decisions import DECISION_AGE_MAX, new_record
from paimon.application.rebalance_engine.measure import NO_MEMORY, Measurement, TargetsNotPossible, measure_fund
from paimon.application.rebalance_engine.plan_calls import plan_request, reversed_trades
from paimon.application.rebalance_engine.queries import (
    TradeDone,
    get_rebalance,
    list_reversals_of,
    list_trades_of,
    list_transactions,
)
from paimon.application.rebalance_engine.store import close, insert_record, list_open, lock_decisions
from paimon.application.rebalance_engine.submission import RebalanceEnded, recorded_with_plan, require_turn
from paimon.application.transactions.plans.calls import PlanRequest
from paimon.application.transactions.plans.preview import PlanPreview, preview_plan
from paimon.application.transactions.plans.submit import PlanSignature, submit_plan
from paimon.domain.approval.policy import initiator_of
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Hash32, checksum
from paimon.domain.kernel.units import Bps
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.rebalance_record import MetCondition, RebalanceRecord, RebalanceStatus, reverses
from paimon.domain.rebalance.triggers import ConditionName, Trigger
from paimon.domain.user.roles import User
from paimon.errors import Conflict
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import ReadSession

log = structlog.get_logger(__name__)


class RebalanceNotReversible(Conflict):
    """The rebalance traded nothing, or is reversed already; the message says which."""


@dataclass(frozen=True, slots=True)
class ManualPreview:
    """A decision that was kept, and the plan to sign; None where there is nothing to trade."""

    record: RebalanceRecord
    plan: PlanPreview | None


def policy_with(policy: PlanPolicy, targets: Mapping[Tier, Bps] | None) -> PlanPolicy:
    """Return the policy with a person's own targets. Raises TargetsNotPossible."""
    if targets is None:
        return policy
    try:
        return replace(policy, targets=dict(targets))
    except ValueError as error:
        raise TargetsNotPossible(str(error)) from error


async def preview_manual(user: User, targets: Mapping[Tier, Bps] | None, context: RebalanceContext) -> ManualPreview:
    """Decide on a person's request.

    Raises:
        NoSnapshotYet, TargetsNotPossible, UntrustedPrice, RpcUnavailable, RpcError.
    """
    policy = policy_with(context.policy, targets)
    async with context.database.read() as session:
        measured = await measure_fund(session, policy, context.risk_policy, NO_MEMORY, context.scope)
    return await _kept(user, measured, (), context)


async def preview_reversal(user: User, rebalance_id: UUID, context: RebalanceContext) -> ManualPreview:
    """Decide to undo what a rebalance did: sell what it bought, and buy back for what its sales brought.

    It is a plan as any other: simulated, within the limits of its wallet, and approved as the policy asks. What a reversal
    that was carried out in part has left is undone by another one.

    Raises:
        RebalanceNotFound, RebalanceNotReversible, NoSnapshotYet, TargetsNotPossible, UntrustedPrice, RpcUnavailable, RpcError.
    """
    async with context.database.read() as session:
        record = await get_rebalance(session, rebalance_id)
        done = await _list_not_undone(session, record)
        measured = await measure_fund(session, context.policy, context.risk_policy, NO_MEMORY, context.scope)
    asked = replace(measured, inputs=replace(measured.inputs, reversal=reversed_trades(done, measured.snapshot)))
    return await _kept(user, asked, (reverses(record.id),), context)


async def _list_not_undone(session: ReadSession, record: RebalanceRecord) -> list[TradeDone]:
    """Return the trades of a rebalance that no reversal has undone yet. Raises RebalanceNotReversible: there are none."""
    done = await list_trades_of(session, await _transactions_of(session, record))
    if not done:
        raise RebalanceNotReversible(f"rebalance {record.id} is {record.status}: it traded nothing that could be undone")
    for reversal in await list_reversals_of(session, record.id):
        if reversal.status is not RebalanceStatus.PARTIALLY_EXECUTED:
            raise RebalanceNotReversible(f"rebalance {record.id} is reversed by {reversal.key}, which is {reversal.status}")
        undone = await list_trades_of(session, await _transactions_of(session, reversal))
        done = [trade for trade in done if not any(trade.is_undone_by(later) for later in undone)]
    if not done:
        raise RebalanceNotReversible(f"rebalance {record.id} is reversed: nothing of it is left to be undone")
    return done


async def _transactions_of(session: ReadSession, record: RebalanceRecord) -> list[Hash32]:
    """Return the transactions of a rebalance that has ended; none before that, since more may follow."""
    return [] if record.plan_id is None or record.outcome is None else await list_transactions(session, record.plan_id)


async def _kept(
    user: User, measured: Measurement, conditions: tuple[MetCondition, ...], context: RebalanceContext
) -> ManualPreview:
    """Decide, keep the decision in place of an older one of this person, and preview its plan."""
    decision = await context.solver.solve(measured.inputs)
    asked = MetCondition(ConditionName.MANUAL_REQUEST, f"asked for by {checksum(user.address)}")
    async with context.database.write() as session:
        await lock_decisions(session)
        now = await database_now(session)
        record = new_record(measured, decision, Trigger.MANUAL, (asked, *conditions), requested_by=user.address, now=now)
        for older in await list_open(session, RebalanceStatus.PROPOSED):
            if older.requested_by == user.address:
                reason = f"{record.key} was previewed later"
                await close(session, older.id, RebalanceStatus.SUPERSEDED, reason, now=now)
        await insert_record(session, record)
    plan = await preview_plan(_request(record, user), context.plans) if record.calls else None
    return ManualPreview(record, plan)


async def execute_manual(rebalance_id: UUID, signature: PlanSignature, context: RebalanceContext) -> RebalanceRecord:
    """Submit a decision as it was previewed and signed. A decision that was submitted already is returned as it stands.

    Raises:
        RebalanceNotFound, RebalanceEnded, RebalanceUnderWay; and what `submit_plan` raises.
    """
    async with context.database.write() as session:  # on the primary: a replica may lag behind
        record = await get_rebalance(session, rebalance_id)
        if record.plan_id is not None:
            return record
        if record.status is not RebalanceStatus.PROPOSED:
            raise RebalanceEnded.of(record)
        if await database_now(session) - record.created_at > DECISION_AGE_MAX:
            raise RebalanceEnded(f"rebalance {rebalance_id} was previewed more than 15 minutes ago; preview again")
        await require_turn(session, record)
    request = _request(record, signature.user)
    plan = await submit_plan(request, signature, context.plans, with_plan=recorded_with_plan(record))
    async with context.database.write() as session:
        log.info("rebalance.submitted", rebalance_id=str(record.id), plan_id=str(plan.id), by=checksum(signature.user.address))
        return await get_rebalance(session, record.id)


def _request(record: RebalanceRecord, user: User) -> PlanRequest:
    return replace(plan_request(record), initiator=initiator_of(user))
