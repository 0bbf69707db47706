"""The plan that carries a step of an emergency out: for a person to submit, and to recognise when one has."""

from typing import Any

from paimon.application.transactions.plans.calls import PlanRequest, RequestedCall, parse_calls
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Hash32
from paimon.domain.risk.emergency import STEPS, Emergency, EmergencyStep, StepKind
from paimon.domain.transaction.plan import plan_payload_hash
from paimon.infrastructure.blockchain.contracts.fund import FundContracts


def plan_of(emergency: Emergency, step: EmergencyStep) -> PlanRequest:
    """Return the plan that carries a step out, ready for a person to submit."""
    rule = STEPS[step.kind]
    arguments: dict[str, Any] = dict(rule.arguments or {})
    if step.kind is StepKind.FREE_LIQUIDITY:
        arguments = {"amountNeeded": str(step.amount), "maxTier": str(Tier.L2.on_chain)}
    call = RequestedCall(rule.contract, rule.function, arguments)
    return PlanRequest(emergency.key(step), emergency.name, (call,), f"{emergency.name}: {rule.meaning}")


def payload_hash_of(emergency: Emergency, step: EmergencyStep, contracts: FundContracts) -> Hash32:
    """Return the payload hash that a submitted plan of this step has."""
    request = plan_of(emergency, step)
    return plan_payload_hash(request.plan, [call.step.call for call in parse_calls(request.calls, contracts)])
