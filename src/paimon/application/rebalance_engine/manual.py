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
from paimon.application.rebalance_engine.measure import NO_MEMORY, TargetsNotPossible, measure_fund
from paimon.application.rebalance_engine.plan_calls import plan_request
from paimon.application.rebalance_engine.queries import get_rebalance
from paimon.application.rebalance_engine.store import close, insert_record, list_open, lock_decisions
from paimon.application.rebalance_engine.submission import RebalanceEnded, recorded_with_plan, require_turn
from paimon.application.transactions.plans.calls import PlanRequest
from paimon.application.transactions.plans.preview import PlanPreview, preview_plan
from paimon.application.transactions.plans.submit import PlanSignature, submit_plan
from paimon.domain.approval.policy import initiator_of
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.units import Bps
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.rebalance_record import MetCondition, RebalanceRecord, RebalanceStatus
from paimon.domain.rebalance.triggers import ConditionName, Trigger
from paimon.domain.user.roles import User
from paimon.infrastructure.database.clock import database_now

log = structlog.get_logger(__name__)


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
        measured = await measure_fund(session, policy, context.risk_policy, NO_MEMORY)
    decision = await context.solver.solve(measured.inputs)
    asked = MetCondition(ConditionName.MANUAL_REQUEST, f"asked for by {checksum(user.address)}")
    async with context.database.write() as session:
        await lock_decisions(session)
        now = await database_now(session)
        record = new_record(measured, decision, Trigger.MANUAL, (asked,), requested_by=user.address, now=now)
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
