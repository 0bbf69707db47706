"""Plan the refill of L1 when it is low, sign the plan with the planner's key, and submit it as a person would.

L1 at or above the limit      → nothing
another plan is under way     → nothing: it may change L1, and there is one plan of the engine at a time
a plan of this UTC day exists → nothing: however it ended, people look at it before another one
the plan is small             → calls of the hot key, within what the signer's policy lets the planner sign
the plan is larger            → a Safe's proposal: its owners decide
"""

import structlog

from paimon.application.rebalance_engine.planner_signature import Planner, sign_and_submit
from paimon.application.rebalance_engine.submission import (
    RebalanceUnderWay,
    find_plan_under_way,
    require_no_plan_under_way,
)
from paimon.application.transactions.plans.calls import PlanRequest, RequestedCall, parse_calls
from paimon.application.transactions.plans.context import PlanContext
from paimon.application.transactions.plans.store import find_existing_plan
from paimon.domain.approval.policy import Initiator
from paimon.domain.rebalance.buffer import BufferLevel, RefillPolicy, is_refill_due, refill_key
from paimon.domain.transaction.plan import plan_payload_hash
from paimon.domain.transaction.wallet_selection import RebalancerFunction, format_whole_units
from paimon.infrastructure.database.clock import database_now
from paimon.infrastructure.database.models.ops.plan import PlanRow

log = structlog.get_logger(__name__)


async def refill_buffer(planner: Planner, policy: RefillPolicy, context: PlanContext) -> PlanRow | None:
    """Return the plan that was made now; None when there is nothing to plan.

    Raises:
        UntrustedPrice, NoWalletEligible, PlanDrifted, PlanNotPossible, HashMismatch, IncompleteExecutions, RpcUnavailable,
        RpcError.
    """
    contracts = context.contracts
    buffer = await contracts.read_one(contracts.asset_controller.buffer_pool_info(), at=await context.final_block())
    level = BufferLevel(buffer.total, buffer.target, buffer.ratio)
    if not is_refill_due(level, policy):
        return None
    async with context.database.write() as session:  # on the primary: a replica may lag behind
        if await find_plan_under_way(session) is not None:
            return None
        key = refill_key(await database_now(session))
        missing = format_whole_units(level.missing, await contracts.asset_decimals(at=await context.final_block()))
    request = PlanRequest(
        key=key,
        plan=key,
        calls=(RequestedCall("AssetController", RebalancerFunction.REBALANCE_BUFFER, {}),),
        reason=f"L1 is {level.ratio} of 10000 of gross assets, {missing} below its target",
        initiator=Initiator.PLANNER,
        is_of_engine=True,
    )
    if await _exists(request, context):
        return None
    try:
        return await sign_and_submit(planner, request, context, require_no_plan_under_way)
    except RebalanceUnderWay as overtaken:
        log.info("refill.overtaken", reason=str(overtaken))
        return None


async def _exists(request: PlanRequest, context: PlanContext) -> bool:
    calls = parse_calls(request.calls, context.contracts)
    digest = plan_payload_hash(request.plan, [call.step.call for call in calls])
    async with context.database.write() as session:  # on the primary: a replica may lag behind
        return await find_existing_plan(session, request.key, digest) is not None
