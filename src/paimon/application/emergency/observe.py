"""What the protocol sees: the level, the newest snapshot with what is due, and the plans that have its steps' keys."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from paimon.application.deployment.store import find_deployment
from paimon.application.emergency.queries import find_last_block
from paimon.application.emergency.step_plans import absent_steps, payload_hash_of
from paimon.application.fund_risk.queries import load_risk_state
from paimon.application.fund_risk.store import StoredAssessment
from paimon.application.rebalance_engine.queries import list_transactions
from paimon.application.transactions.multisig.store import get_proposal
from paimon.application.transactions.plans.context import PlanContext
from paimon.application.transactions.plans.queries import find_plan_by_key
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Hash32
from paimon.domain.kernel.eip712 import SigningScope
from paimon.domain.kernel.units import RawAmount
from paimon.domain.risk.assessment import value_text
from paimon.domain.risk.emergency import CONTAINING_STEPS, Emergency, PlanSeen, Seen, StepKind, drill_view
from paimon.domain.risk.fund_risk_state import FundRiskState
from paimon.domain.risk.indicators import confirmed_due
from paimon.domain.risk.promises import liquidity_ladder
from paimon.domain.risk.risk_policy import IndicatorName, RiskPolicy, plain_text
from paimon.domain.transaction.safe_proposal import ProposalOutcome
from paimon.domain.transaction.wallet_selection import format_whole_units
from paimon.domain.vault.fund_snapshot import FundSnapshot
from paimon.infrastructure.database.models.ops.multisig import SafeProposalRow
from paimon.infrastructure.database.sessions import Database, WriteSession

EXIT_RCR_MIN: Final = Decimal("1.5")
"""Below this RCR(1), opening the exit of a day is not selected: the first to leave would be paid by those who stay."""

_DUE_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class EmergencyContext:
    """What the use cases of emergencies need."""

    policy: RiskPolicy
    plans: PlanContext

    @property
    def database(self) -> Database:
        return self.plans.database

    @property
    def scope(self) -> SigningScope:
        """Where signed actions about the fund count."""
        return self.plans.signing_rules.scope


async def look(
    session: WriteSession,
    emergency: Emergency,
    snapshot: FundSnapshot,
    assessment: StoredAssessment,
    context: EmergencyContext,
    *,
    now: datetime,
) -> Seen:
    """Return what the protocol sees now; a drill sees its own breach."""
    state = await load_risk_state(session, snapshot, context.scope, now=now, system_health=None)
    seen = Seen(
        now=now,
        block=snapshot.at.number,
        level=assessment.level.level,
        level_since=assessment.level.since,
        flags=snapshot.flags,
        missing=RawAmount(max(confirmed_due(state, days=_DUE_DAYS) - snapshot.cash, 0)),
        sellable=RawAmount(snapshot.tier_assets(Tier.L1) + snapshot.tier_assets(Tier.L2)),
        exit_warning=_exit_warning(assessment, state, context.policy),
        plans={} if emergency.is_drill else await _plans(session, emergency, snapshot, context.plans),
        absent={} if emergency.is_drill else absent_steps(await find_deployment(session), context.plans.contracts),
        as_of=min(snapshot.at.timestamp, assessment.level.assessed_at, assessment.assessed_at),
    )
    return drill_view(emergency, seen) if emergency.is_drill else seen


def _exit_warning(assessment: StoredAssessment, state: FundRiskState, policy: RiskPolicy) -> str | None:
    """Say why opening the exit is not selected, with what could leave by it before a promise is broken."""
    ratio = next((one.value for one in assessment.measurements if one.name is IndicatorName.RCR_1D), None)
    if ratio is not None and ratio >= EXIT_RCR_MIN:
        return None
    left = min(day.closing for day in liquidity_ladder(state, policy)[1:])
    shown = format_whole_units(_whole(max(left, 0), state.fund.asset_decimals), state.fund.asset_decimals)
    measured = "not measured" if ratio is None else value_text(ratio)
    return (
        f"rcr_1d is {measured}, below {plain_text(EXIT_RCR_MIN)}: the exit of a day would pay the first to leave at the cost"
        f" of those who stay. {shown} could leave before a promise is broken"
    )


def _whole(amount: int, decimals: int) -> int:
    unit: int = 10**decimals
    return amount - amount % unit


async def _plans(
    session: WriteSession, emergency: Emergency, snapshot: FundSnapshot, context: PlanContext
) -> dict[str, PlanSeen]:
    """Return the plans of the open steps, and those that are proposed no longer and could still pause, open or free."""
    steps = {emergency.key(step): step for step in emergency.steps if step.is_open}
    former = emergency.former_keys()
    of_kind = {step.kind: step for step in emergency.steps}  # but for an amount, all attempts at a kind have one payload
    steps |= {key: of_kind[kind] for key, kind in former.items() if kind in CONTAINING_STEPS}
    hashes = {key: payload_hash_of(emergency, step, context.contracts) for key, step in steps.items()}
    found: dict[str, PlanSeen] = {}
    for key in (*hashes, *(key for key, kind in former.items() if kind is StepKind.FREE_LIQUIDITY)):
        plan = await find_plan_by_key(session, key, context.safe_context)
        if plan is not None:
            proposal = None if plan.proposal is None else await get_proposal(session, plan.proposal)
            found[key] = PlanSeen(
                plan.id,
                plan.status,
                await _shown_at(session, plan.id, proposal, snapshot),
                plan.payload_hash == hashes.get(key),
                None if proposal is None or proposal.outcome is not None else Hash32(proposal.hash),
                is_superseded=proposal is not None and proposal.outcome is ProposalOutcome.SUPERSEDED,
            )
    return found


async def _shown_at(
    session: WriteSession, plan_id: UUID, proposal: SafeProposalRow | None, snapshot: FundSnapshot
) -> int | None:
    """Return a block that shows what a plan did.

    That is its last transaction's. One that others sent and that left no event has no block here: a snapshot is as new when it
    is dated after the end of the proposal was recorded.
    """
    block = await find_last_block(session, await list_transactions(session, plan_id))
    closed_at = None if proposal is None else proposal.closed_at
    if block is None and closed_at is not None and snapshot.at.timestamp > closed_at:
        return snapshot.at.number
    return block


def evidence_of(snapshot: FundSnapshot, assessment: StoredAssessment) -> dict[str, Any]:
    """Return what an emergency's record keeps of its beginning and its end: the block, the figures, the policy's version."""
    return {
        "block": {
            "number": snapshot.at.number,
            "hash": "0x" + snapshot.at.hash.hex(),
            "timestamp": snapshot.at.timestamp.isoformat(),
        },
        "level": assessment.level.level,
        "levelSince": assessment.level.since.isoformat(),
        "policyVersion": assessment.policy_version,
        "assessedBlock": assessment.block_number,
        "indicators": {
            measured.name: None if measured.value is None else value_text(measured.value)
            for measured in assessment.measurements
        },
        "cash": str(snapshot.cash),
        "tiers": {tier.name: str(snapshot.tier_value(tier)) for tier in Tier},
        "netAssets": str(snapshot.net_assets),
        "redemptionLiability": str(snapshot.redemption_liability),
    }
