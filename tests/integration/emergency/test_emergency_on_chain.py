"""One emergency on a real chain: a run, the protocol proposes, owners sign, liquidity is freed, it recovers and closes."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

import pytest
from eth_utils.crypto import keccak
from tests.support.chain.fund import DAY, TestFund
from tests.support.database_roles import context_of
from tests.support.scenarios.fund_activity import snapshot_now
from tests.support.scenarios.plans import PlanHarness
from tests.support.signed_requests import sign_proposed

from paimon.application.emergency.advance import advance_emergency
from paimon.application.emergency.observe import EmergencyContext
from paimon.application.emergency.people import decline_step, propose_decline
from paimon.application.emergency.queries import EmergencyDetail, read_emergency
from paimon.application.emergency.step_plans import plan_of
from paimon.application.fund_risk.assess import assess_risk
from paimon.application.risk_control.queries import list_unresolved
from paimon.composition import AppContext
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import checksum, parse_address
from paimon.domain.kernel.units import WAD
from paimon.domain.risk.emergency import EmergencyState, StepKind, StepStatus, require_step
from paimon.domain.risk.risk_event import RiskKind
from paimon.domain.risk.risk_policy import DEFAULT_CONDITIONS, IndicatorName, LevelCondition, RiskLevel, RiskPolicy
from paimon.domain.user.roles import User, UserRole
from paimon.infrastructure.database.rights.roles import DatabaseRole

pytestmark = pytest.mark.integration

RCR_LIMIT: Final = LevelCondition(RiskLevel.CRITICAL, IndicatorName.RCR_7D, Decimal(8))
"""A stricter limit than the default, so that four requests are a run on this fund."""
POLICY: Final = RiskPolicy(conditions=(*DEFAULT_CONDITIONS, RCR_LIMIT))
COLD_OWNERS: Final = (4, 5, 6)
RUN: Final = ("ines", "ivan", "ines", "ivan")


async def look(app_context: AppContext, plan_harness: PlanHarness, *, settling: timedelta | None = None) -> RiskLevel:
    """Assess a minute later, as the clock does, and let the worker look; return the level."""
    plan_harness.fund.warp(60)
    await snapshot_now(app_context, plan_harness.fund)
    async with context_of(DatabaseRole.WORKER, app_context) as worker:
        assessed = await assess_risk(worker.database, POLICY, worker.signing_rules.scope)
    policy = POLICY if settling is None else replace(POLICY, settling=settling)
    await advance_emergency(EmergencyContext(policy, plan_harness.worker_context))
    assert assessed is not None
    return assessed.level.level


async def shown(app_context: AppContext, plan_harness: PlanHarness) -> EmergencyDetail:
    async with app_context.database.read() as session:
        return await read_emergency(session, 1, plan_harness.context)


async def carry_out(app_context: AppContext, plan_harness: PlanHarness, kind: StepKind) -> None:
    """Submit a step's plan as a person does, sign it as the cold Safe's owners do, and have it executed."""
    emergency = (await shown(app_context, plan_harness)).stored.emergency
    request = plan_of(emergency, require_step(emergency, kind))
    plan = await plan_harness.submit(*request.calls, key=request.key, plan=request.plan)
    await advance_emergency(EmergencyContext(POLICY, plan_harness.worker_context))
    (waiting,) = [step for step in (await shown(app_context, plan_harness)).steps if step.step.plan_id == plan.id]
    assert waiting.step.status is StepStatus.SUBMITTED
    assert waiting.proposal is not None
    assert waiting.proposal.summary.tally.threshold == len(COLD_OWNERS)
    await plan_harness.owner_signs(plan, *COLD_OWNERS)
    await plan_harness.execute()


async def decline(app_context: AppContext, fund: TestFund, kind: StepKind) -> None:
    account = fund.accounts.account("ada")
    ada = User(parse_address(account.address), UserRole.SUPER_ADMIN, "ada")
    async with app_context.database.write() as session:
        proposed = await propose_decline(session, 1, kind)
    request = sign_proposed(proposed, ada, account, app_context.signing_rules)
    await decline_step(1, kind, request, app_context.signing)


def status(detail: EmergencyDetail, kind: StepKind) -> StepStatus | None:
    step = detail.stored.emergency.step(kind)
    return None if step is None else step.status


async def test_run_on_the_fund_is_answered_freed_and_closed_with_its_record(
    app_context: AppContext, plan_harness: PlanHarness, fund: TestFund
) -> None:
    cold = checksum(plan_harness.safe_harness.safes.cold)
    fund.send("ada", "Vault", "grantRole", keccak(text="ADMIN_ROLE"), cold)
    assert await look(app_context, plan_harness) is RiskLevel.NORMAL
    requests = [fund.request(investor, 400_000) for investor in RUN]
    for number in requests:
        fund.approve_on_chain(number)
    assert await look(app_context, plan_harness) is RiskLevel.CRITICAL
    detail = await shown(app_context, plan_harness)
    assert detail.stored.emergency.state is EmergencyState.CONTAINING
    assert {step.step.kind for step in detail.steps} == {
        StepKind.PAUSE_VAULT,
        StepKind.PAUSE_REDEMPTIONS,
        StepKind.OPEN_EXIT,
    }
    await carry_out(app_context, plan_harness, StepKind.PAUSE_VAULT)
    await decline(app_context, fund, StepKind.PAUSE_REDEMPTIONS)
    await decline(app_context, fund, StepKind.OPEN_EXIT)
    await look(app_context, plan_harness)
    detail = await shown(app_context, plan_harness)
    assert detail.stored.emergency.state is EmergencyState.FREEING
    assert status(detail, StepKind.PAUSE_VAULT) is StepStatus.DONE

    freeing = detail.stored.emergency.step(StepKind.FREE_LIQUIDITY)
    assert freeing is not None
    assert freeing.amount is not None
    before = (await snapshot_now(app_context, fund)).cash
    await carry_out(app_context, plan_harness, StepKind.FREE_LIQUIDITY)
    after = await snapshot_now(app_context, fund)
    assert after.cash >= before + freeing.amount * 99 // 100
    await look(app_context, plan_harness)
    assert StepStatus.DONE in [
        step.status
        for step in (await shown(app_context, plan_harness)).stored.emergency.steps
        if step.kind is StepKind.FREE_LIQUIDITY
    ]

    fund.warp(7 * DAY)
    for number in requests:
        fund.send("keeper", "RedemptionManager", "settleRedemption", number)
    fund.send("hot", "AssetController", "rebalanceBuffer")
    await look(app_context, plan_harness)
    fund.warp(16 * 60)
    assert await look(app_context, plan_harness, settling=timedelta(0)) in {RiskLevel.NORMAL, RiskLevel.ELEVATED}
    detail = await shown(app_context, plan_harness)
    assert detail.stored.emergency.state is EmergencyState.LEAVING
    await carry_out(app_context, plan_harness, StepKind.UNPAUSE_VAULT)
    await look(app_context, plan_harness)

    detail = await shown(app_context, plan_harness)
    assert detail.stored.emergency.state is EmergencyState.CLOSED
    assert not fund.read("Vault", "paused")
    began, ended = detail.stored.evidence, detail.stored.end_evidence
    assert ended is not None
    assert (began["level"], began["policyVersion"]) == ("CRITICAL", POLICY.version)
    assert int(began["redemptionLiability"]) > 1_000_000 * WAD
    assert int(ended["redemptionLiability"]) == 0
    assert set(began["tiers"]) == {tier.name for tier in Tier}
    timings = detail.timings
    assert None not in (timings.to_first_submission, timings.to_first_signature, timings.to_first_effect, timings.to_end)
    async with app_context.database.read() as session:
        assert await list_unresolved(session, RiskKind.EMERGENCY) == []
