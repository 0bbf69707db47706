"""The planner's own plans: signed with a key of its own, written as its own database role, within limits of its own.

The planner's key is Willa's here. She is no planner among the people: the policy alone says what the key may sign.
"""

import time
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.chain.fund import WAD, TestFund
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.scenarios.multisig import SafeHarness
from tests.support.scenarios.planning import ALWAYS, PlannerHarness, planner_harness, spend_from_outside

from paimon.domain.kernel.chain import Hash32, checksum
from paimon.domain.kernel.units import Bps, RawAmount
from paimon.domain.rebalance.buffer import PlannerLook
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.domain.transaction.safe_proposal import ProposalStatus
from paimon.domain.transaction.wallet_selection import PlanWallet
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.keystore import create_keystore
from paimon.settings import Settings
from paimon_devkit.stack.app_processes import libpq_url
from paimon_devkit.stack.embedded_postgres import EmbeddedPostgres
from paimon_devkit.stack.ports import free_port

pytestmark = pytest.mark.fault

SURPLUS: Final = 240_000
"""USDT by which the test fund's L1 is above its target."""


@pytest.fixture
async def harness(
    safe_harness: SafeHarness, worker_database: Database, fund: TestFund, tmp_path: Path
) -> AsyncIterator[PlannerHarness]:
    spend_from_outside(fund, SURPLUS)
    async with planner_harness(safe_harness, worker_database, fund, tmp_path) as opened:
        yield opened


async def test_planner_refills_the_buffer_once_a_day(harness: PlannerHarness) -> None:
    await harness.spend(2_000)
    assert harness.missing() > 1_000 * WAD
    plan = await harness.refill()
    assert (plan.wallet, plan.requested_by) == (PlanWallet.HOT, harness.planner.user.address)
    assert await harness.refill() is None
    await harness.plans.sending.drive_until_idle(harness.plans.hot)
    assert [intent.status for intent in await harness.plans.intents()] == [IntentStatus.FINAL] * 2
    assert harness.missing() < 100 * WAD
    await harness.spend(1_000)
    assert await harness.refill() is None, "people look at a plan of this day before there is another"


async def test_nothing_is_planned_above_the_limit(harness: PlannerHarness) -> None:
    await harness.spend(2_000)
    assert await harness.refill(policy=replace(ALWAYS, below=Bps(800))) is None
    assert await harness.refill(policy=replace(ALWAYS, smallest=RawAmount(10**6 * WAD))) is None


async def test_signer_refuses_what_exceeds_the_planners_own_limit(harness: PlannerHarness) -> None:
    """Its process would plan more, and the hot key may: the policy's limit for the planner's key holds."""
    await harness.spend(4_000)
    await harness.refill()
    await harness.plans.sending.drive(harness.plans.hot)
    _, refill = await harness.plans.intents()
    assert refill.status is IntentStatus.QUEUED
    assert "LIMIT_EXCEEDED" in (refill.reason or "")


async def test_large_refill_is_a_proposal_that_owners_decide(harness: PlannerHarness) -> None:
    await harness.spend(4_000)
    plan = await harness.refill(hot_limit=2_000)
    assert plan.wallet is PlanWallet.WARM
    proposal = Hash32(plan.proposal)
    assert (await harness.plans.safe_harness.details(proposal)).summary.status is ProposalStatus.COLLECTING
    await harness.plans.safe_harness.sign(proposal, 1, 2)
    before = harness.missing()
    await harness.plans.execute()
    assert (await harness.plans.safe_harness.details(proposal)).summary.status is ProposalStatus.EXECUTED
    assert harness.missing() < before


def test_process_plans_with_its_own_key_and_role(
    cli: CliRunner, settings: Settings, fund: TestFund, tmp_path: Path, postgres: EmbeddedPostgres, database_name: str
) -> None:
    """Its keystore and its password in the database are in no other process's settings."""
    spend_from_outside(fund, SURPLUS + 3_000)
    keystore, password = tmp_path / "planner.json", tmp_path / "planner.password"
    password.write_text("password of the planner")
    password.chmod(0o600)
    create_keystore(keystore, password, bytes(fund.accounts.account("willa").key), scrypt_cost=2)
    environment = environment_of(settings) | {
        "PAIMON_DATABASE__URL": postgres.url("paimon_planner", database_name),
        "PAIMON_SENDING__HOT": fund.accounts.address("hot"),
        "PAIMON_PLANNER__REFILL_BELOW_BPS": "10000",
        "PAIMON_PLANNER__CHECK_SECONDS": "0.2",
        "PAIMON_METRICS__PLANNER_PORT": str(port := free_port()),
    }
    del environment["PAIMON_DATABASE__RETENTION_URL"]
    without_key = cli.start("planner", env=environment)
    assert without_key.wait() == 2
    assert "set PAIMON_PLANNER__KEYSTORE and PAIMON_PLANNER__PASSWORD_FILE" in without_key.output_text

    own = {"PAIMON_PLANNER__KEYSTORE": str(keystore), "PAIMON_PLANNER__PASSWORD_FILE": str(password)}
    for stated, says in (({}, "is not set"), ({"PAIMON_SENDING__PLANNER": fund.accounts.address("otto")}, "is 0x")):
        unknown = cli.start("planner", env=environment | own | stated)
        assert unknown.wait() == 2
        assert f"PAIMON_SENDING__PLANNER {says}" in unknown.output_text

    own["PAIMON_SENDING__PLANNER"] = fund.accounts.address("willa")
    process = cli.start("planner", env=environment | own)
    process.wait_for_output("plan.submitted")
    counted = looks_by_outcome(port)
    process.terminate()
    assert process.wait() == 0, process.output_text
    with psycopg.connect(libpq_url(environment["PAIMON_DATABASE__URL"])) as connection:
        ((planned_by, kind),) = connection.execute(
            "SELECT requested_by, kind FROM ops.plans JOIN ops.plan_calls ON plan_id = plans.id"
            " JOIN ops.transaction_intents AS intent ON intent.id = intent_id"
        ).fetchall()
        held = connection.execute("SELECT 1 FROM ops.leases WHERE name = 'planner' AND expires_at > now()").fetchall()
    assert (checksum(planned_by), kind, held) == (fund.accounts.address("willa"), "plan_step", [])
    assert "password of the planner" not in process.output_text
    assert counted.keys() == {look.value for look in PlannerLook}
    assert (counted["no_plan"], counted["unavailable"]) == (0, 0)


def looks_by_outcome(port: int) -> dict[str, float]:
    """Return what the planner's process has counted, once it has counted its plan."""
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        samples = [sample for family in families for sample in family.samples]
        counted = {each.labels["outcome"]: each.value for each in samples if each.name == "paimon_planner_looks_total"}
        if counted["planned"]:
            (looked_at,) = (each.value for each in samples if each.name == "paimon_planner_looked_at_timestamp_seconds")
            assert looked_at > 0
            return counted
        time.sleep(0.05)
