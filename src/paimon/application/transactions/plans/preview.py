"""The dry run: what this plan would need, and what it would do. Nothing is written, and nothing is reserved."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from paimon.application.transactions.plans.calls import PlanRequest, parse_calls
from paimon.application.transactions.plans.context import PlanContext
from paimon.application.transactions.plans.idempotency import find_existing_plan
from paimon.application.transactions.plans.select_wallet import ValuedCalls, select_wallet, value_calls
from paimon.application.transactions.plans.simulate import SimulationResult, simulate
from paimon.domain.kernel.chain import Hash32
from paimon.domain.transaction.plan import PlanExecution, plan_document, plan_payload_hash
from paimon.domain.transaction.wallet_selection import WalletChoice
from paimon.infrastructure.database.clock import database_now


@dataclass(frozen=True, slots=True)
class PlanPreview:
    """`simulated` and `document`, what to sign to have it carried out so, are there when a wallet may do it."""

    choice: WalletChoice
    valued: ValuedCalls
    simulated: list[SimulationResult]
    document: dict[str, Any] | None
    expires_at: datetime


async def preview_plan(request: PlanRequest, context: PlanContext) -> PlanPreview:
    """Raises InvalidPlan, PayloadConflict, RpcUnavailable, RpcError."""
    calls = parse_calls(request.calls, context.contracts)
    valued = await value_calls(calls, context)
    async with context.database.read() as session:
        await find_existing_plan(session, request.key, plan_payload_hash(request.plan, [each.step.call for each in calls]))
        choice = await select_wallet(session, context, request.plan, valued)
        now = await database_now(session)
    expires_at = now.replace(microsecond=0) + timedelta(seconds=context.signature_ttl_seconds_max)
    if choice.wallet is None or (sender := context.address(choice.wallet)) is None:
        return PlanPreview(choice, valued, [], None, expires_at)
    order = PlanExecution(
        request.key, request.plan, tuple(each.step for each in valued.calls), choice.wallet, choice.amount, request.reason
    )
    document = plan_document(order, nonce=Hash32(secrets.token_bytes(32)), expires_at=expires_at, scope=context.scope)
    return PlanPreview(choice, valued, await simulate(valued, sender, context.contracts), document, expires_at)
