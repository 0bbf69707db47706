"""Preview a plan: the wallet it needs, and the outcome of its calls. Nothing is written, and nothing is reserved."""

from dataclasses import dataclass
from typing import Any

from paimon.application.transactions.plans.calls import PlanRequest, parse_calls
from paimon.application.transactions.plans.context import PlanContext
from paimon.application.transactions.plans.price_check import require_trusted_prices
from paimon.application.transactions.plans.select_wallet import ValuedCalls, select_wallet, value_calls
from paimon.application.transactions.plans.simulate import SimulationResult, simulate_calls
from paimon.application.transactions.plans.store import find_existing_plan
from paimon.domain.approval.policy import TicketRequirement
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.domain.transaction.plan import PlanExecution, plan_document, plan_payload_hash
from paimon.domain.transaction.wallet_selection import WalletChoice
from paimon.infrastructure.database.clock import database_now


@dataclass(frozen=True, slots=True)
class PlanPreview:
    """A previewed plan. `simulated` and the `document` to sign are there when a wallet may carry out the plan."""

    choice: WalletChoice
    requirement: TicketRequirement | None
    """The approvals that the plan would need; None for a plan without a ticket."""
    valued: ValuedCalls
    simulated: list[SimulationResult]
    document: dict[str, Any] | None
    terms: SignatureTerms


async def preview_plan(request: PlanRequest, context: PlanContext) -> PlanPreview:
    """Raises InvalidPlan, PayloadConflict, UntrustedPrice, RpcUnavailable, RpcError."""
    calls = parse_calls(request.calls, context.contracts)
    valued = await value_calls(calls, context)
    async with context.database.read() as session:
        await find_existing_plan(session, request.key, plan_payload_hash(request.plan, [call.step.call for call in calls]))
        await require_trusted_prices(session, valued)
        selected = await select_wallet(session, context, request, valued)
        now = await database_now(session)
    choice, terms = selected.choice, context.signing_rules.new_terms(now)
    if choice.wallet is None or (sender := context.address(choice.wallet)) is None:
        return PlanPreview(choice, selected.requirement, valued, [], None, terms)
    execution = PlanExecution(
        request.key, request.plan, tuple(call.step for call in valued.calls), choice.wallet, choice.amount, request.reason
    )
    document = plan_document(execution, terms, context.signing_rules.scope)
    simulated = await simulate_calls(valued, sender, context.contracts)
    return PlanPreview(choice, selected.requirement, valued, simulated, document, terms)
