"""`paimon tx …` as operators use it: plans and operator actions, signed with their own keystore."""

from pathlib import Path

import pytest
from tests.support.api_client import seed_users
from tests.support.chain.fund import WAD, TestFund
from tests.support.cli_processes import CliProcess, CliRunner, environment_at_a_terminal, keystore_options
from tests.support.scenarios.multisig import FundSafes
from tests.support.scenarios.sending import SendingHarness

from paimon.domain.kernel.chain import parse_address
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.infrastructure.database.sessions import Database
from paimon.settings import Settings

pytestmark = pytest.mark.integration


def output_of(process: CliProcess, code: int = 0) -> str:
    """Wait for the command, check its exit code and return its output."""
    assert process.wait() == code, process.output_text
    return process.output_text


async def test_plan_commands_preview_submit_and_show_a_plan(
    cli: CliRunner, settings: Settings, database: Database, fund: TestFund, fund_safes: FundSafes, tmp_path: Path
) -> None:
    wallets = {"hot": parse_address(fund.accounts.address("hot")), "warm": fund_safes.warm, "cold": fund_safes.cold}
    wallets["multi_send"] = fund_safes.safe_factory.multi_send
    env = environment_at_a_terminal(settings.model_copy(update={"sending": settings.sending.model_copy(update=wallets)}))
    await seed_users(database, fund)

    def plan(command: str, usdt: int, *options: str, key: str = "monday") -> CliProcess:
        call = f"AssetController.purchaseAsset token={fund.asset('MMFA').address} usdtAmount={usdt * WAD}"
        arguments = ("--key", key, "--call", call, "--reason", "L2 is short", *options)
        return cli.start("tx", "plan", command, *arguments, env=env)

    large_plan = output_of(plan("preview", 40_000), 1)
    assert "AccessControlUnauthorizedAccount" in large_plan, "the warm wallet has no role yet"
    assert "warm: counts for 40 000, at block" in large_plan
    assert "not hot: the plan moves 40 000, its plans stay below 10 000" in large_plan
    assert "succeeds" in output_of(plan("preview", 9_000))
    assert "is not a user" in output_of(plan("submit", 9_000, "--yes", *keystore_options(fund.accounts, "ines", tmp_path)), 2)
    assert "needs the role operator" in output_of(
        plan("submit", 9_000, "--yes", *keystore_options(fund.accounts, "willa", tmp_path)), 2
    )
    submitted = output_of(plan("submit", 9_000, "--yes", *keystore_options(fund.accounts, "otto", tmp_path)))
    assert "monday: IN_PROGRESS by hot, L2 is short" in submitted
    open_plans = output_of(cli.start("tx", "plan", "list", env=env)).splitlines()
    assert open_plans[0] == "1 open"
    plan_id = open_plans[1].split()[0]
    assert "purchaseAsset" in output_of(cli.start("tx", "plan", "show", plan_id, env=env))
    assert "would do nothing" in output_of(plan("preview", 0), 2)
    assert "plan 'monday' exists with other calls" in output_of(plan("preview", 8_000), 2)
    assert "succeed and do nothing" in output_of(plan("preview", 900, key="tuesday"), 1), "it is below the asset's minimum"
    assert output_of(cli.start("tx", "plan", "list", "--ended", env=env)) == "0 ended\n"
    assert output_of(cli.start("tx", "plan", "list", "--all", env=env)).splitlines()[0] == "1 total"
    env = environment_at_a_terminal(settings)
    assert "NO WALLET" in output_of(plan("preview", 900, key="tuesday"), 1)
    unreadable_call = cli.start("tx", "plan", "preview", "--key", "k", "--call", "pause", "--reason", "r", env=env)
    assert "is not a call" in output_of(unreadable_call, 2)


async def test_cancel_is_signed_with_the_operators_own_keystore(
    cli: CliRunner, settings: Settings, harness: SendingHarness, tmp_path: Path
) -> None:
    env = environment_at_a_terminal(settings)
    await seed_users(harness.database, harness.fund)
    request_id = harness.due_request()
    intent = await harness.queue_settlement(request_id)

    def cancel(by: str) -> CliProcess:
        keys = keystore_options(harness.fund.accounts, by, tmp_path)
        return cli.start("tx", "cancel", str(intent.id), "--reason", "I know why", *keys, env=env)

    assert "needs the role admin" in output_of(cancel("otto"), 2)
    assert "cancel requested for" in output_of(cancel("vera"))
    await harness.drive(harness.keeper)
    assert (await harness.intent(request_id)).status is IntentStatus.CANCELLED
    assert str(intent.id) not in output_of(cli.start("tx", env=env))
    for option, title in (("--ended", "1 ended"), ("--all", "1 total")):
        listed = output_of(cli.start("tx", option, env=env))
        assert title in listed
        assert str(intent.id) in listed
    assert "both given" in output_of(cli.start("tx", "--ended", "--all", env=env), 2)
