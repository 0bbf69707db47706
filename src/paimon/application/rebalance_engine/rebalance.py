"""Look at the fund once, and bring it back to its targets: from the trigger to a signed plan, and from the plan to its result.

    a submitted decision whose plan has ended      → compare it with the chain and end it
    a proposed decision of the planner's own       → submit its plan, or end it when it is too old or something is in its way
    a trigger fires, and nothing holds it back     → decide; a decision with trades is submitted

A decision without trades is kept once for its cause: while its conditions stay beyond their thresholds, the fund is decided on
anew after each quiet time, and only a decision that has trades is kept then.

Each step is committed before the next, and finds at the next look what an interrupted one has left. There is one plan at a
time: while one is under way, and until a snapshot shows what it did, every trigger waits and says for what.
"""

from collections.abc import Mapping
from dataclasses import replace

import structlog

from paimon.application.rebalance_engine.conclude import conclude_ended
from paimon.application.rebalance_engine.context import RebalanceContext
from paimon.application.rebalance_engine.decisions import DECISION_AGE_MAX, new_record
from paimon.application.rebalance_engine.measure import Measurement, measure_fund
from paimon.application.rebalance_engine.plan_calls import plan_request
from paimon.application.rebalance_engine.planner_signature import Planner, sign_and_submit
from paimon.application.rebalance_engine.queries import find_last_of_planner
from paimon.application.rebalance_engine.store import (
    close,
    insert_record,
    list_open,
    load_memory,
    lock_decisions,
    save_verdicts,
)
from paimon.application.rebalance_engine.submission import RebalanceEnded, RebalanceUnderWay, recorded_with_plan, why_wait
from paimon.domain.kernel.chain import BlockStamp
from paimon.domain.rebalance.buffer import PlannerLook
from paimon.domain.rebalance.rebalance_plan import NoPlan
from paimon.domain.rebalance.rebalance_record import RebalanceRecord, RebalanceStatus, met_conditions
from paimon.domain.rebalance.triggers import ConditionMemory, Hold, HoldCode, hold_back
from paimon.errors import Conflict, InvalidRequest
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.sessions import ReadSession

log = structlog.get_logger(__name__)


async def rebalance_once(planner: Planner, context: RebalanceContext) -> PlannerLook:
    """Look once.

    Raises:
        NoSnapshotYet, TargetsNotPossible, UnexpectedSafe, HashMismatch, IncompleteExecutions, RpcUnavailable, RpcError;
        KeyUnavailable of the planner's key.
    """
    await conclude_ended(context.plans)
    if (proposed := await _find_own_proposed(context)) is not None:
        return await _submit(planner, proposed, context)
    async with context.database.read() as session:
        memory = await load_memory(session)
        measured = await measure_fund(session, context.policy, context.risk_policy, memory, context.scope)
        why = await _why_wait(session, measured.at, context)
        measured = replace(measured, triggers=hold_back(measured.triggers, memory, why))
    if not met_conditions(measured.triggers):
        await _keep_verdicts(measured, context)
        return PlannerLook.NOTHING_DUE
    record = await _decide(measured, memory, context)
    return PlannerLook.NOTHING_DUE if record.closed_at is not None else await _submit(planner, record, context)


async def _find_own_proposed(context: RebalanceContext) -> RebalanceRecord | None:
    """Return the planner's own decision that is not submitted yet, and end those that are too old."""
    found = None
    async with context.database.write() as session:
        await lock_decisions(session)
        now = await database_now(session)
        for record in await list_open(session, RebalanceStatus.PROPOSED):
            if now - record.created_at > DECISION_AGE_MAX:
                await close(session, record.id, RebalanceStatus.SUPERSEDED, "it was not submitted in time", now=now)
            elif record.requested_by is None:
                found = record
    return found


async def _why_wait(session: ReadSession, at: BlockStamp, context: RebalanceContext) -> Hold | None:
    """Return why no plan of the fund at this block may be made now, though a trigger fires."""
    return await why_wait(session, at) if context.is_automatic else Hold(HoldCode.AUTOMATIC_OFF)


async def _keep_verdicts(measured: Measurement, context: RebalanceContext) -> None:
    async with context.database.write() as session:
        await save_verdicts(session, measured.triggers, at=measured.at, now=await database_now(session))


async def _decide(measured: Measurement, memory: dict[str, ConditionMemory], context: RebalanceContext) -> RebalanceRecord:
    """Decide outside of any transaction, and keep the decision with the verdicts that it rests on."""
    decision = await context.solver.solve(measured.inputs)
    trigger = next(verdict.condition.trigger for verdict in measured.triggers if verdict.fires)
    async with context.database.write() as session:
        now = await database_now(session)
        record = new_record(measured, decision, trigger, met_conditions(measured.triggers), requested_by=None, now=now)
        is_known = _has_old_cause(record, memory) and _repeats(record, await find_last_of_planner(session))
        if not is_known:
            await insert_record(session, record)
        await save_verdicts(session, measured.triggers, at=measured.at, now=now)
    if is_known:
        log.info("rebalance.still_nothing_to_do", trigger=trigger, reason=record.close_reason)
        return record
    log.info(
        "rebalance.decided",
        rebalance_id=str(record.id),
        trigger=trigger,
        reason=record.reason,
        trades=len(record.calls),
        method=None if isinstance(decision.result, NoPlan) else decision.result.method,
    )
    return record


def _has_old_cause(record: RebalanceRecord, memory: Mapping[str, ConditionMemory]) -> bool:
    """Report whether every condition of a decision has stayed beyond its threshold since it fired before."""
    return all(not memory.get(met.name, ConditionMemory()).is_armed for met in record.conditions)


def _repeats(record: RebalanceRecord, last: RebalanceRecord | None) -> bool:
    """Report whether the last decision said already that nothing is to be done about these conditions."""
    nothing = RebalanceStatus.NOTHING_TO_DO
    if last is None or record.status is not nothing or last.status is not nothing:
        return False
    return {met.name for met in record.conditions} <= {met.name for met in last.conditions}


async def _submit(planner: Planner, record: RebalanceRecord, context: RebalanceContext) -> PlannerLook:
    """Submit a decision's plan, or end the decision: what is in its way changes the fund that it was made for."""
    async with context.database.read() as session:
        why = await _why_wait(session, record.at, context)
    if why is not None:
        return await _end(record, RebalanceStatus.SUPERSEDED, str(why), context)
    try:
        await sign_and_submit(planner, plan_request(record), context.plans, recorded_with_plan(record))
    except (RebalanceUnderWay, RebalanceEnded) as overtaken:
        return await _end(record, RebalanceStatus.SUPERSEDED, str(overtaken), context)
    except (Conflict, InvalidRequest) as refusal:
        return await _end(record, RebalanceStatus.REFUSED, str(refusal), context)
    return PlannerLook.PLANNED


async def _end(record: RebalanceRecord, status: RebalanceStatus, reason: str, context: RebalanceContext) -> PlannerLook:
    is_refused = status is RebalanceStatus.REFUSED
    if is_refused:
        log.error("rebalance.refused", rebalance_id=str(record.id), reason=reason)
    else:
        log.info("rebalance.superseded", rebalance_id=str(record.id), reason=reason)
    async with context.database.write() as session:
        await close(session, record.id, status, reason, now=await database_now(session))
    return PlannerLook.NO_PLAN if is_refused else PlannerLook.NOTHING_DUE
