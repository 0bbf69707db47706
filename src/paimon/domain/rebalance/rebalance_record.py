"""One decision of the rebalance engine over its life: made, submitted as a plan, and compared with what came of it.

    PROPOSED ──► SUBMITTED ──► EXECUTED              every call had its effect
       │             └───────► PARTIALLY_EXECUTED    some had
       │             └───────► NOT_EXECUTED          none had: rejected, expired, cancelled or failed
       └───────► SUPERSEDED    a later decision took its place before it was submitted
       └───────► REFUSED       it could not be submitted; the reason says why
    NOTHING_TO_DO              no trade was worth it; ended as it was made

A record that has ended has its reason and never changes again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address, BlockStamp
from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount, Rounding, divide
from paimon.domain.rebalance.applied_trades import fund_after
from paimon.domain.rebalance.decision import PlanInputs, PlanResult, parse_inputs, parse_result
from paimon.domain.rebalance.rebalance_plan import ExplainedTrade, FundAfter, NoPlan, Side
from paimon.domain.rebalance.triggers import Trigger, Verdict
from paimon.domain.transaction.plan import REBALANCE_PREFIX

EXPECTED_WITHIN: Final = Bps(100)
"""A tier further than this from the expected share, of the fund, is not as expected. Source: docs/concepts/rebalancing.md."""


class RebalanceStatus(StrEnum):
    """Where a decision stands."""

    PROPOSED = "PROPOSED"
    SUBMITTED = "SUBMITTED"
    EXECUTED = "EXECUTED"
    PARTIALLY_EXECUTED = "PARTIALLY_EXECUTED"
    NOT_EXECUTED = "NOT_EXECUTED"
    SUPERSEDED = "SUPERSEDED"
    REFUSED = "REFUSED"
    NOTHING_TO_DO = "NOTHING_TO_DO"


OPEN_REBALANCES: Final = frozenset({RebalanceStatus.PROPOSED, RebalanceStatus.SUBMITTED})

ENDS_FROM: Final = {
    RebalanceStatus.EXECUTED: RebalanceStatus.SUBMITTED,
    RebalanceStatus.PARTIALLY_EXECUTED: RebalanceStatus.SUBMITTED,
    RebalanceStatus.NOT_EXECUTED: RebalanceStatus.SUBMITTED,
    RebalanceStatus.SUPERSEDED: RebalanceStatus.PROPOSED,
    RebalanceStatus.REFUSED: RebalanceStatus.PROPOSED,
}
"""Where a decision stands that ends so: with a plan, only the plan's end ends it."""


@dataclass(frozen=True, slots=True)
class TradeCall:
    """A trade as the contract takes it. `amount` is cash for a purchase, and tokens of `decimals` for a sale."""

    side: Side
    token: Address
    amount: RawAmount
    price: RawAmount
    decimals: int


@dataclass(frozen=True, slots=True)
class MetCondition:
    """A condition that started the decision, with its reason in words."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class RebalanceOutcome:
    """The fund at the first snapshot after the plan's last transaction, and what the trades cost.

    `cost` is what the trades lost against the prices that the plan was made at; negative where they gained. `gas_wei` is the
    most that the gas may have cost: gas used at the highest price that was signed.
    """

    at: BlockStamp
    tier_values: dict[Tier, int]
    total: RawAmount
    trades: int
    cost: int
    gas_wei: RawAmount
    differences: dict[Tier, Bps]
    """Share of each tier less the expected one."""
    traded: RawAmount = RawAmount(0)
    """What the trades moved, at the prices of the plan."""
    planned_cost: RawAmount = RawAmount(0)
    """What the plan expected that these trades cost."""

    @property
    def excess_cost(self) -> Bps:
        """Return what the trades cost beyond the plan, of what they moved, rounded up; negative where they cost less."""
        if not self.traded:
            return Bps(0)
        return Bps(-((self.planned_cost - self.cost) * BPS_ONE // self.traded))

    @property
    def is_as_expected(self) -> bool:
        return self.excess_cost <= EXPECTED_WITHIN and all(abs(each) <= EXPECTED_WITHIN for each in self.differences.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalanceRecord:
    """A decision with everything that it rests on, as exact text, so that it can be recomputed."""

    id: UUID
    trigger: Trigger
    status: RebalanceStatus
    conditions: tuple[MetCondition, ...]
    calls: tuple[TradeCall, ...]
    requested_by: Address | None
    """The person who asked; None for the planner's own."""
    created_at: datetime
    at: BlockStamp
    inputs_text: str
    result_text: str
    plan_id: UUID | None = None
    closed_at: datetime | None = None
    close_reason: str | None = None
    outcome: RebalanceOutcome | None = None

    @property
    def inputs(self) -> PlanInputs:
        return parse_inputs(self.inputs_text)

    @property
    def result(self) -> PlanResult:
        return parse_result(self.result_text)

    @property
    def expected(self) -> FundAfter | None:
        """Return the fund after the trades that its calls make, None without a plan. A long plan has trades without a call."""
        if isinstance(self.result, NoPlan):
            return None
        return fund_after(self.inputs.fund, (explained.trade for explained in self.trades))

    @property
    def trades(self) -> tuple[ExplainedTrade, ...]:
        """Return the trades that its calls make."""
        made = {(call.side, call.token) for call in self.calls}
        return tuple(each for each in self._decided_trades if (each.trade.side, each.trade.token) in made)

    @property
    def left_trades(self) -> tuple[ExplainedTrade, ...]:
        """Return the trades that have no call, since a plan makes only so many, and wait for the next plan."""
        made = {(call.side, call.token) for call in self.calls}
        return tuple(each for each in self._decided_trades if (each.trade.side, each.trade.token) not in made)

    @property
    def _decided_trades(self) -> tuple[ExplainedTrade, ...]:
        result = self.result
        return () if isinstance(result, NoPlan) else result.trades

    @property
    def key(self) -> str:
        """Return the name and idempotency key of its plan."""
        return f"{REBALANCE_PREFIX}{self.id}"

    @property
    def reason(self) -> str:
        """Return why the plan is made, for those who sign it; at most 500 characters."""
        return f"{self.trigger}: {'; '.join(f'{met.name}, {met.reason}' for met in self.conditions)}"[:500].strip()


def reverses(rebalance_id: UUID) -> MetCondition:
    """Return the condition of a decision that undoes what this rebalance did."""
    return MetCondition("reverses", str(rebalance_id))


def met_conditions(verdicts: Sequence[Verdict]) -> tuple[MetCondition, ...]:
    """Return the conditions that fire, the most urgent first."""
    return tuple(MetCondition(each.condition.name, each.reason) for each in verdicts if each.fires)


def share_differences(expected: FundAfter | None, tier_values: dict[Tier, int], total: RawAmount) -> dict[Tier, Bps]:
    """Return by how much each tier's share differs from the share that was expected, rounded away from zero."""
    if expected is None or not total or not expected.total:
        return dict.fromkeys(Tier, Bps(0))
    differences = {}
    for tier in Tier:
        whole = total * expected.total
        off = (tier_values[tier] * expected.total - expected.tier_values[tier] * total) * BPS_ONE
        size = divide(abs(off), whole, rounding=Rounding.UP)
        differences[tier] = Bps(size if off >= 0 else -size)
    return differences
