"""The plans of an emergency's steps: submitted at a terminal, and ended by their tickets before the Safe used the nonce."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak
from sqlalchemy import select
from tests.integration.cli.test_cli_tx import output_of
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliRunner, environment_of, keystore_options
from tests.support.factories.emergencies import record_level
from tests.support.scenarios.plans import PlanHarness
from tests.support.signed_grants import grant

from paimon.application.emergency.advance import advance_emergency
from paimon.application.emergency.observe import EmergencyContext
from paimon.application.emergency.queries import EmergencyDetail, read_emergency
from paimon.application.emergency.step_plans import plan_of
from paimon.application.transactions.multisig.propose import propose_rejection
from paimon.domain.approval.ticket import Verdict
from paimon.domain.kernel.chain import Hash32, checksum, hex0x, parse_address
from paimon.domain.risk.emergency import EmergencyState, EmergencyStep, StepKind, StepStatus, require_step
from paimon.domain.risk.risk_event import RiskKind
from paimon.domain.risk.risk_policy import RiskLevel, RiskPolicy
from paimon.domain.transaction.safe_transaction import SafeName
from paimon.domain.user.roles import UserRole
from paimon.gateway.rest.views.emergencies import EmergencyDetailView
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.integration

PAUSE = StepKind.PAUSE_VAULT
POLICY = RiskPolicy()
HOUR = 3_600


async def look(harness: PlanHarness, policy: RiskPolicy = POLICY) -> None:
    await advance_emergency(EmergencyContext(policy, harness.worker_context))


async def shown(harness: PlanHarness) -> EmergencyDetail:
    async with harness.context.database.read() as session:
        return await read_emergency(session, 1, harness.context)


def pause_of(detail: EmergencyDetail) -> EmergencyStep:
    step = detail.stored.emergency.step(PAUSE)
    assert step is not None
    return step


async def observed(database: Database) -> str:
    async with database.read() as session:
        query = select(RiskEventRow.observed).where(RiskEventRow.kind == RiskKind.EMERGENCY)
        return (await session.scalars(query)).one()


async def declare(harness: PlanHarness, database: Database) -> EmergencyDetail:
    """Let the cold Safe pause the vault, and declare an emergency."""
    cold = checksum(harness.safe_harness.safes.cold)
    harness.fund.send("ada", "Vault", "grantRole", keccak(text="ADMIN_ROLE"), cold)
    harness.fund.wait_until_final()
    assert await record_level(database, RiskLevel.CRITICAL, 0) is RiskLevel.CRITICAL
    await look(harness)
    return await shown(harness)


@pytest.mark.parametrize(
    ("by", "verdict", "status", "attempt"),
    [("vera", Verdict.REJECT, StepStatus.DECLINED, 1), ("otto", Verdict.CANCEL, StepStatus.PROPOSED, 2)],
)
async def test_ticket_that_ended_without_an_approval_ends_the_plan_of_its_step(
    plan_harness: PlanHarness, database: Database, by: str, verdict: Verdict, status: StepStatus, attempt: int
) -> None:
    """Its Safe transaction is named until the Safe has used the nonce, and its timings are kept."""
    emergency = (await declare(plan_harness, database)).stored.emergency
    request = plan_of(emergency, require_step(emergency, PAUSE))
    plan = await plan_harness.submit(*request.calls, key=request.key, plan=request.plan)
    await plan_harness.owner_signs(plan, 4)
    await look(plan_harness)
    before = await shown(plan_harness)
    assert pause_of(before).status is StepStatus.SUBMITTED
    assert "rejected by the owners" not in await observed(database)
    await plan_harness.vote(plan, by, verdict)
    await look(plan_harness)
    after = await shown(plan_harness)
    assert (pause_of(after).status, pause_of(after).attempt) == (status, attempt)
    timings = after.timings
    assert (timings.to_first_submission, timings.to_first_signature) == (
        before.timings.to_first_submission,
        before.timings.to_first_signature,
    )
    assert timings.to_first_signature is not None
    assert plan.proposal is not None
    to_be_rejected = f"Safe transactions to be rejected by the owners: {hex0x(plan.proposal)} (PAUSE_VAULT)"
    assert to_be_rejected in await observed(database)
    assert f"the owners are to reject Safe transaction {hex0x(plan.proposal)}" in after.timeline[-1].entry.text


async def test_step_is_proposed_again_when_the_owners_executed_another_transaction_at_its_nonce(
    plan_harness: PlanHarness, database: Database
) -> None:
    """Only their rejection of it says that they do not want it."""
    emergency = (await declare(plan_harness, database)).stored.emergency
    request = plan_of(emergency, require_step(emergency, PAUSE))
    plan = await plan_harness.submit(*request.calls, key=request.key, plan=request.plan)
    await look(plan_harness)
    safe_harness = plan_harness.safe_harness
    assert plan.proposal is not None
    nonce = (await safe_harness.row(Hash32(plan.proposal))).nonce
    other = await safe_harness.propose("other", safe_harness.no_op_call(), safe=SafeName.COLD, at_nonce=nonce)
    await safe_harness.sign(other, 4, 5, 6)
    await safe_harness.execute_externally(other)
    await record_level(database, RiskLevel.CRITICAL, HOUR)
    await look(plan_harness)
    step = pause_of(await shown(plan_harness))
    assert (step.status, step.attempt, step.earlier_plans) == (StepStatus.PROPOSED, 2, (plan.id,))


async def test_emergency_is_not_closed_before_the_owners_reject_a_pause_that_they_can_still_execute(
    plan_harness: PlanHarness, database: Database
) -> None:
    """Its plan has expired meanwhile: with its signatures, anyone can execute it all the same."""
    emergency = (await declare(plan_harness, database)).stored.emergency
    request = plan_of(emergency, require_step(emergency, PAUSE))
    plan = await plan_harness.submit(*request.calls, key=request.key, plan=request.plan)
    await look(plan_harness)
    safe_harness = plan_harness.safe_harness
    assert plan.proposal is not None
    proposed = Hash32(plan.proposal)
    await safe_harness.expire(proposed)
    for after in (HOUR, HOUR + 16 * 60):
        await record_level(database, RiskLevel.NORMAL, after)
        await look(plan_harness)
    await look(plan_harness, replace(POLICY, settling=timedelta(0)))  # by the database's clock
    assert (await shown(plan_harness)).stored.emergency.state is EmergencyState.LEAVING
    assert f"to be rejected by the owners: {hex0x(proposed)} (PAUSE_VAULT)" in await observed(database)
    rejection = await propose_rejection(proposed, safe_harness.context, proposed_by=safe_harness.vera.address)
    await safe_harness.sign(rejection, 4, 5, 6)
    await safe_harness.execute_externally(rejection)
    await look(plan_harness, replace(POLICY, settling=timedelta(0)))
    assert (await shown(plan_harness)).stored.emergency.state is EmergencyState.CLOSED


async def test_step_says_which_nonce_its_owners_use_first(plan_harness: PlanHarness, database: Database) -> None:
    """A Safe executes in order: what frees liquidity waits for the pauses, although it is proposed without them."""
    emergency = (await declare(plan_harness, database)).stored.emergency
    for kind in (PAUSE, StepKind.OPEN_EXIT):
        request = plan_of(emergency, require_step(emergency, kind))
        await plan_harness.submit(*request.calls, key=request.key, plan=request.plan)
    await look(plan_harness)
    found = await shown(plan_harness)
    first, second = (step for step in found.steps if step.plan is not None)
    assert first.proposal is not None
    assert (first.behind_nonce, second.behind_nonce) == (None, first.proposal.summary.nonce)
    shown_steps = [step for step in EmergencyDetailView.of_detail(found).steps if step.plan_id]
    assert [step.behind_nonce for step in shown_steps] == [None, first.proposal.summary.nonce]


async def test_step_is_submitted_at_a_terminal_as_the_role_of_a_person(
    plan_harness: PlanHarness,
    database: Database,
    settings: Settings,
    fund: TestFund,
    cli: CliRunner,
    postgres: EmbeddedPostgres,
    database_name: str,
    tmp_path: Path,
) -> None:
    await declare(plan_harness, database)
    await grant(database, fund, "vera", UserRole.ADMIN)
    safes = plan_harness.safe_harness.safes
    wallets: dict[str, Any] = {"warm": safes.warm, "cold": safes.cold, "multi_send": safes.safe_factory.multi_send}
    wallets["hot"] = parse_address(fund.accounts.address("hot"))
    env = environment_of(settings.model_copy(update={"sending": settings.sending.model_copy(update=wallets)})) | {
        "PAIMON_DATABASE__URL": postgres.url("paimon_cli", database_name)
    }
    key = keystore_options(fund.accounts, "vera", tmp_path)
    submitted = output_of(cli.start("emergency", "submit", "1", "PAUSE_VAULT", *key, "--yes", env=env))
    assert "emergency-1-pause-vault-1 of emergency 1: AWAITING_OWNERS by cold" in submitted
    await look(plan_harness)
    step = pause_of(await shown(plan_harness))
    assert step.status is StepStatus.SUBMITTED
    assert str(step.plan_id) in submitted
    assert "; behind nonce" not in output_of(cli.start("emergency", "show", env=env))
    emergency = (await shown(plan_harness)).stored.emergency
    request = plan_of(emergency, require_step(emergency, StepKind.OPEN_EXIT))
    await plan_harness.submit(*request.calls, key=request.key, plan=request.plan)
    await look(plan_harness)
    table = output_of(cli.start("emergency", "show", env=env))
    assert "3 of" in table, "the owners who are waited for"
    first = next(found.proposal for found in (await shown(plan_harness)).steps if found.step.kind is PAUSE)
    assert first is not None
    assert f"behind nonce {first.summary.nonce}: execute or reject it first" in table
