"""JSON shapes of rebalancing: the state with its triggers, previews, decisions and their results."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from paimon.application.rebalance_engine.manual import ManualPreview
from paimon.application.rebalance_engine.status import RebalanceState
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import BPS_ONE, Bps, RawAmount
from paimon.domain.rebalance.plan_policy import LimitGroup
from paimon.domain.rebalance.rebalance_plan import ExplainedTrade, Method, NoPlan, RebalancePlan, Side, TradeReason
from paimon.domain.rebalance.rebalance_record import RebalanceRecord, RebalanceStatus
from paimon.domain.rebalance.triggers import ConditionName, HoldCode, Trigger, TriggerAnswer
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.gateway.rest.envelope import BlockStampView
from paimon.gateway.rest.schema import AddressText, ApiModel, BigInt, Time
from paimon.gateway.rest.views.plans import PreviewView
from paimon.gateway.rest.views.signed_action import SignedBody

SignedAmount = Annotated[str, Field(pattern="^-?[0-9]+$")]
"""An amount that may be below zero, as a decimal string of raw units."""


class TierSharesView(ApiModel):
    """A share of the fund for each tier, in basis points. L1 is without what is reserved for redemptions."""

    l1: int = Field(alias="L1")
    l2: int = Field(alias="L2")
    l3: int = Field(alias="L3")

    @classmethod
    def of(cls, values: dict[Tier, int], total: int) -> Self:
        return cls(**{tier.lower(): _bps(values[tier], total) for tier in Tier})


class TriggerView(ApiModel):
    """One condition: whether it is met now, and why the planner made a plan of it or did not."""

    name: ConditionName
    trigger: Trigger
    figure: SignedAmount = Field(description="basis points, raw units of the vault's asset, or a count")
    threshold: SignedAmount
    is_met: bool
    reason: str
    fired_at: Time | None
    judged_at: Time | None = Field(description="null: the planner has not judged it yet, the reason is that of now")
    answer: TriggerAnswer = Field(description="what it does now; `reason` is the planner's, of its last look")
    quiet_until: Time | None = Field(description="with `quiet`: it fired, and may fire again from then on")
    held_by: HoldCode | None = Field(description="with `held_back`: what holds every plan back")
    held_by_subject: str | None = Field(description="the plan under way, or the block that no snapshot shows yet")


class ThresholdsView(ApiModel):
    trigger_deviation: int = Field(description="basis points of the fund")
    min_amount: BigInt = Field(description="the smallest worthwhile plan, in raw units of the vault's asset")


class ActionView(ApiModel):
    """One trade, with its reason."""

    type: Side
    asset: AddressText
    from_layer: Tier
    to_layer: Tier
    amount: BigInt
    estimated_cost: BigInt
    estimated_slippage: int = Field(description="basis points of the amount")
    settles_in_days: int
    reason: TradeReason
    saved: SignedAmount = Field(description="against the same amount traded pro rata; negative: it costs more")
    is_left: bool = Field(description="true: left to the next plan, since one makes at most 20 calls")

    @classmethod
    def of(cls, explained: ExplainedTrade, *, is_left: bool) -> Self:
        trade = explained.trade
        sells = trade.side is Side.SELL
        return cls(
            type=trade.side,
            asset=trade.token,
            from_layer=trade.tier if sells else Tier.L1,
            to_layer=Tier.L1 if sells else trade.tier,
            amount=trade.amount,
            estimated_cost=trade.cost,
            estimated_slippage=_bps(trade.cost, trade.amount),
            settles_in_days=trade.settles_in,
            reason=explained.reason,
            saved=str(explained.saved),
            is_left=is_left,
        )


class BrokenLimitView(ApiModel):
    """A limit that the plan does not keep."""

    limit: LimitGroup
    subject: str
    amount: BigInt


class OutcomeView(ApiModel):
    """What came of a plan: the fund at the first snapshot after its last transaction."""

    at: BlockStampView
    post_state: TierSharesView
    differences: TierSharesView = Field(description="less the expected shares")
    is_as_expected: bool = Field(description="no tier is more than 1 % of the fund off, nor the cost 1 % of what was traded")
    trades: int
    cost: SignedAmount = Field(description="lost against the prices of the plan; negative: gained")
    excess_cost: int = Field(description="cost beyond the plan's, in basis points of what was traded; negative: less")
    gas_cost_wei: BigInt = Field(description="the most that the gas may have cost")


class RebalanceView(ApiModel):
    """One decision of the rebalance engine."""

    id: UUID
    plan_id: UUID | None = Field(description="the plan that carries it out: `/plans/{planId}`")
    trigger: Trigger
    status: RebalanceStatus
    reason: str
    created_at: Time
    at: BlockStampView = Field(description="the block that the fund was measured at")
    requested_by: AddressText | None = Field(description="null: the planner's own")
    pre_state: TierSharesView
    target_state: TierSharesView
    expected_state: TierSharesView = Field(description="after the plan; as before where there is none")
    actions: list[ActionView]
    total_amount: BigInt = Field(description="of the actions that the plan makes; so are the two costs")
    estimated_cost: BigInt
    estimated_gas_cost: BigInt = Field(description="in raw units of the vault's asset")
    performance_fee: BigInt = Field(description="accrues because L3 is bought, unless the mark is set with the plan")
    high_water_mark: BigInt | None = Field(description="for `setLayer3HighWaterMark` with the plan")
    method: Method | None
    solver: str | None
    broken_limits: list[BrokenLimitView]
    conflict: list[LimitGroup]
    closed_at: Time | None
    close_reason: str | None
    outcome: OutcomeView | None

    @classmethod
    def of(cls, record: RebalanceRecord) -> Self:
        inputs, result, outcome = record.inputs, record.result, record.outcome
        fund = inputs.fund
        after = record.expected or fund
        plan = None if isinstance(result, NoPlan) else result
        return cls(
            id=record.id,
            plan_id=record.plan_id,
            trigger=record.trigger,
            status=record.status,
            reason=record.reason,
            created_at=record.created_at,
            at=BlockStampView.of(record.at),
            requested_by=record.requested_by,
            pre_state=TierSharesView.of(fund.tier_values, fund.total),
            target_state=TierSharesView.of(dict(inputs.policy.targets), BPS_ONE),
            expected_state=TierSharesView.of(after.tier_values, after.total),
            actions=[
                *(ActionView.of(each, is_left=False) for each in record.trades),
                *(ActionView.of(each, is_left=True) for each in record.left_trades),
            ],
            total_amount=RawAmount(sum(each.trade.amount for each in record.trades)),
            estimated_cost=RawAmount(sum(each.trade.cost for each in record.trades)),
            estimated_gas_cost=RawAmount(inputs.policy.gas_per_trade * len(record.trades)),
            performance_fee=RawAmount(0) if plan is None else plan.performance_fee,
            high_water_mark=None if plan is None else plan.high_water_mark,
            method=None if plan is None else plan.method,
            solver=None if plan is None else plan.solver,
            broken_limits=[] if plan is None else _broken(plan),
            conflict=[] if plan is None else list(plan.conflict),
            closed_at=record.closed_at,
            close_reason=record.close_reason,
            outcome=None
            if outcome is None
            else OutcomeView(
                at=BlockStampView.of(outcome.at),
                post_state=TierSharesView.of(outcome.tier_values, outcome.total),
                differences=TierSharesView.of({tier: int(each) for tier, each in outcome.differences.items()}, BPS_ONE),
                is_as_expected=outcome.is_as_expected,
                trades=outcome.trades,
                cost=str(outcome.cost),
                excess_cost=outcome.excess_cost,
                gas_cost_wei=outcome.gas_wei,
            ),
        )


class RebalanceStatusView(ApiModel):
    """How far off target the fund is, which conditions are met, and what is under way."""

    at: BlockStampView
    needs_rebalance: bool
    is_automatic: bool = Field(description="whether the planner submits plans by itself")
    next_scheduled: Time
    state: TierSharesView
    target_state: TierSharesView
    current_deviation: TierSharesView = Field(description="share less target")
    reserved: BigInt = Field(description="cash set aside for redemptions, in raw units of the vault's asset")
    thresholds: ThresholdsView
    pending_plan: RebalanceView | None
    last_rebalance: RebalanceView | None
    triggers: list[TriggerView]

    @classmethod
    def of(cls, state: RebalanceState, trigger_deviation: Bps) -> Self:
        inputs = state.measured.inputs
        fund, policy = inputs.fund, inputs.policy
        shares = {tier: _bps(fund.tier_values[tier], fund.total) for tier in Tier}
        return cls(
            at=BlockStampView.of(state.measured.at),
            needs_rebalance=state.needs_rebalance,
            is_automatic=state.is_automatic,
            next_scheduled=state.next_scheduled,
            state=TierSharesView.of(fund.tier_values, fund.total),
            target_state=TierSharesView.of(dict(policy.targets), BPS_ONE),
            current_deviation=TierSharesView.of({t: shares[t] - policy.targets[t] for t in Tier}, BPS_ONE),
            reserved=fund.reserved,
            thresholds=ThresholdsView(trigger_deviation=trigger_deviation, min_amount=policy.smallest_plan),
            pending_plan=None if state.under_way is None else RebalanceView.of(state.under_way),
            last_rebalance=None if state.last is None else RebalanceView.of(state.last),
            triggers=list(_triggers(state)),
        )


class TargetRatiosBody(ApiModel):
    """Own targets in basis points; the three add up to 10 000."""

    l1: int = Field(alias="L1", ge=0, le=10_000)
    l2: int = Field(alias="L2", ge=0, le=10_000)
    l3: int = Field(alias="L3", ge=0, le=10_000)

    @property
    def targets(self) -> dict[Tier, Bps]:
        return {Tier.L1: Bps(self.l1), Tier.L2: Bps(self.l2), Tier.L3: Bps(self.l3)}


class RebalancePreviewBody(ApiModel):
    target_ratios: TargetRatiosBody | None = Field(None, description="the fund's own targets where there are none")


class RebalancePreviewView(ApiModel):
    """A decision that was kept for 15 minutes, and what to sign to submit it."""

    rebalance: RebalanceView
    requires_approval: bool
    approval_reason: str | None
    plan: PreviewView | None = Field(description="as `/plans/preview` shows it; null: there is nothing to trade")

    @classmethod
    def of(cls, preview: ManualPreview) -> Self:
        plan = preview.plan
        requirement = None if plan is None else plan.requirement
        return cls(
            rebalance=RebalanceView.of(preview.record),
            requires_approval=requirement is not None,
            approval_reason=None
            if requirement is None
            else f"rule {requirement.rules[0].name} of policy {requirement.policy_version}: {requirement.rules[0].approvals}",
            plan=None if plan is None else PreviewView.of(plan),
        )


class RebalanceExecuteBody(SignedBody):
    """A decision as it was previewed, with a signature over the preview's `plan.signing`."""

    rebalance_id: UUID
    wallet: PlanWallet = Field(description="`message.wallet` of the signed typed data")
    amount: BigInt = Field(description="`message.amount` of the signed typed data")


class RebalanceExecutedView(ApiModel):
    """The plan that carries the decision out."""

    rebalance_id: UUID
    plan_id: UUID | None
    status: RebalanceStatus
    approval_ticket_id: str | None = Field(description="of a plan that the policy wants approved")

    @classmethod
    def of(cls, record: RebalanceRecord, ticket_id: str | None) -> Self:
        return cls(rebalance_id=record.id, plan_id=record.plan_id, status=record.status, approval_ticket_id=ticket_id)


def _triggers(state: RebalanceState) -> Iterable[TriggerView]:
    for verdict in state.measured.triggers:
        judged, answer = state.judged.get(verdict.condition.name), state.answer_of(verdict)
        hold = state.hold if answer is TriggerAnswer.HELD_BACK else None
        yield TriggerView(
            name=verdict.condition.name,
            trigger=verdict.condition.trigger,
            figure=str(verdict.figure),
            threshold=str(verdict.condition.threshold),
            is_met=verdict.condition.is_met(verdict.figure),
            reason=state.reason_of(verdict),
            fired_at=None if judged is None else judged.fired_at,
            judged_at=None if judged is None else judged.judged_at,
            answer=answer,
            quiet_until=state.quiet_until(verdict),
            held_by=None if hold is None else hold.code,
            held_by_subject=None if hold is None else hold.subject,
        )


def _broken(plan: RebalancePlan) -> list[BrokenLimitView]:
    return [BrokenLimitView(limit=each.group, subject=each.subject, amount=each.amount) for each in plan.broken]


def _bps(part: int, whole: int) -> int:
    """Return a share in basis points, rounded to the nearest; 0 of nothing."""
    return int((Decimal(part) * BPS_ONE / whole).to_integral_value()) if whole else 0
