"""A decision of the planner: everything that it rests on, and what came of it. The same inputs give the same bytes."""

from dataclasses import dataclass
from typing import Final

from paimon.domain.kernel.record_text import added_field, from_text, to_text
from paimon.domain.rebalance.measured_fund import MeasuredFund
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.rebalance_plan import AskedTrade, NoPlan, RebalancePlan

PlanResult = RebalancePlan | NoPlan


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """What a plan is made from. `without_solver` says why the solver was not used; the plan is then the greedy one.

    With `reversal` the plan has these trades and no others.
    """

    fund: MeasuredFund
    policy: PlanPolicy
    asset_decimals: int
    without_solver: str | None = None
    reversal: tuple[AskedTrade, ...] = added_field(())


def decide(inputs: PlanInputs) -> PlanResult:
    """Make the plan of these inputs."""
    # Here, because the solver's library takes a second to load, and most processes only read decisions.
    from paimon.domain.rebalance.planner import make_greedy_plan, make_plan, make_reversal

    if inputs.reversal:
        return make_reversal(inputs.fund, inputs.policy, inputs.reversal)
    if inputs.without_solver is not None:
        return make_greedy_plan(inputs.fund, inputs.policy, inputs.without_solver)
    return make_plan(inputs.fund, inputs.policy, asset_decimals=inputs.asset_decimals)


def inputs_text(inputs: PlanInputs) -> str:
    return to_text(inputs, PlanInputs)


def parse_inputs(text: str) -> PlanInputs:
    """Raises ValueError: the text is not that of a plan's inputs."""
    inputs: Final[PlanInputs] = from_text(text, PlanInputs)
    return inputs


def result_text(result: PlanResult) -> str:
    return to_text(result, PlanResult)


def parse_result(text: str) -> PlanResult:
    """Raises ValueError: the text is not that of a plan."""
    result: Final[PlanResult] = from_text(text, PlanResult)
    return result
