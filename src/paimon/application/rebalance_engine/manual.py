"""A person's rebalance: plan with targets of their own, keep the decision, and submit it with their signature.

A newer preview of the same person ends the older one. A decision is submitted within 15 minutes, while no other plan of the
engine is under way; the plan's own checks then compare wallet and amount with what was signed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

import structlog

from paimon.application.rebalance_engine.context import RebalanceContext
from paimon.application.rebalance_engine.decisions import DECISION_AGE_MAX, new_record, supersede_proposed
from paimon.application.rebalance_engine.measure import NO_MEMORY, TargetsNotPossible, measure_fund
from paimon.application.rebalance_engine.plan_calls import plan_request
from paimon.application.rebalance_engine.queries import get_rebalance
from paimon.application.rebalance_engine.store import close, insert_record, list_open, lock_decisions, submitted
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
from paimon.errors import Conflict
from paimon.infrastructure.database.clock import database_now

log = structlog.get_logger(__name__)


class RebalanceUnderWay(Conflict):
    """Another plan of the rebalance engine is under way; the message names it."""


class RebalanceEnded(Conflict):
    """The decision has ended or is too old to be submitted: preview again."""


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
            raise RebalanceEnded(f"rebalance {rebalance_id} is {record.status}: {record.close_reason}; preview again")
        if await database_now(session) - record.created_at > DECISION_AGE_MAX:
            raise RebalanceEnded(f"rebalance {rebalance_id} was previewed more than 15 minutes ago; preview again")
        if under_way := await list_open(session, RebalanceStatus.SUBMITTED):
            raise RebalanceUnderWay(f"the plan {under_way[0].key} is under way; preview again when it has ended")
    plan = await submit_plan(_request(record, signature.user), signature, context.plans)
    async with context.database.write() as session:
        await lock_decisions(session)
        await submitted(session, record.id, plan.id)
        await supersede_proposed(session, record, now=await database_now(session))
        log.info("rebalance.submitted", rebalance_id=str(record.id), plan_id=str(plan.id), by=checksum(signature.user.address))
        return await get_rebalance(session, record.id)


def _request(record: RebalanceRecord, user: User) -> PlanRequest:
    return replace(plan_request(record), initiator=initiator_of(user))
