"""The plan that carries a step of an emergency out: for a person to submit, and to recognise when one has."""

from collections.abc import Mapping
from typing import Any

from paimon.application.transactions.plans.calls import PlanRequest, RequestedCall, parse_calls
from paimon.domain.asset.tier import Tier
from paimon.domain.deployment.contract_facts import Deployment, FunctionState
from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.units import RawAmount
from paimon.domain.risk.emergency import STEPS, Emergency, EmergencyStep, StepKind
from paimon.domain.transaction.plan import plan_payload_hash
from paimon.errors import Conflict
from paimon.infrastructure.blockchain.contracts.fund import FundContracts


class DrillHasNoPlans(Conflict):
    """A drill has no plans: its steps are signed, and nothing is sent."""


def plan_of(emergency: Emergency, step: EmergencyStep) -> PlanRequest:
    """Return the plan that carries a step out, ready for a person to submit.

    Raises:
        DrillHasNoPlans.
    """
    if emergency.is_drill:
        signs = f"its owners sign it with `paimon emergency sign {emergency.id} {step.kind}`"
        raise DrillHasNoPlans(f"{emergency.name} is a drill, and no plan carries {step.kind} out: {signs}, and nothing is sent")
    call = _call_of(step.kind, step.amount)
    return PlanRequest(emergency.key(step), emergency.name, (call,), f"{emergency.name}: {STEPS[step.kind].meaning}")


def _call_of(kind: StepKind, amount: RawAmount | None) -> RequestedCall:
    rule = STEPS[kind]
    arguments: dict[str, Any] = dict(rule.arguments or {})
    if kind is StepKind.FREE_LIQUIDITY:
        arguments = {"amountNeeded": str(amount), "maxTier": str(Tier.L2.on_chain)}
    return RequestedCall(rule.contract, rule.function, arguments)


def payload_hash_of(emergency: Emergency, step: EmergencyStep, contracts: FundContracts) -> Hash32:
    """Return the payload hash that a submitted plan of this step has."""
    request = plan_of(emergency, step)
    return plan_payload_hash(request.plan, [call.step.call for call in parse_calls(request.calls, contracts)])


def absent_steps(deployment: Deployment | None, contracts: FundContracts) -> Mapping[StepKind, str]:
    """Say of each step whose function the deployment was found not to have that no plan can take it."""
    absent: dict[StepKind, str] = {}
    for kind in StepKind if deployment is not None else ():
        (call,) = parse_calls((_call_of(kind, RawAmount(1)),), contracts)
        if deployment is not None and deployment.state(call.contract, call.signature) is FunctionState.ABSENT:
            absent[kind] = (
                f"this {call.contract} has no {call.signature}, as its code showed at block {deployment.at.number}: no plan can"
                f" {STEPS[kind].meaning}"
            )
    return absent
