"""`paimon desk …` as people use it: plans and deeds, signed with their own keystore."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.api_client import seed_users
from tests.support.chain.fund import WAD, TestFund
from tests.support.cli_processes import CliProcess, CliRunner, environment_of
from tests.support.scenarios.multisig import FundSafes
from tests.support.scenarios.sending import SendingHarness

from paimon.domain.kernel.chain import parse_address
from paimon.domain.transaction.lifecycle import IntentStatus
from paimon.infrastructure.database.sessions import Database
from paimon.infrastructure.keys.keystore import create_keystore
from paimon.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cli() -> Iterator[CliRunner]:
    with CliRunner() as opened:
        yield opened


def keystore_of(fund: TestFund, name: str, folder: Path) -> tuple[str, ...]:
    """The options by which this person signs."""
    keystore, password = folder / f"{name}-own.json", folder / f"{name}-own.password"
    password.write_text(f"only {name} knows")
    password.chmod(0o600)
    create_keystore(keystore, password, bytes(fund.accounts.account(name).key), scrypt_cost=2)
    return "--keystore", str(keystore), "--password-file", str(password)


def ended(program: CliProcess, code: int = 0) -> str:
    assert program.wait() == code, program.output_text
    return program.output_text


async def test_a_plan_is_previewed_signed_and_shown(
    cli: CliRunner, settings: Settings, database: Database, fund: TestFund, fund_safes: FundSafes, tmp_path: Path
) -> None:
    named = {"hot": parse_address(fund.accounts.address("hot")), "warm": fund_safes.warm, "cold": fund_safes.cold}
    named["multi_send"] = fund_safes.safe_factory.multi_send
    env = environment_of(settings.model_copy(update={"sending": settings.sending.model_copy(update=named)}))
    await seed_users(database, fund.accounts)

    def plan(what: str, usdt: int, *more: str, key: str = "monday") -> CliProcess:
        call = f"AssetController.purchaseAsset token={fund.asset('MMFA').address} usdtAmount={usdt * WAD}"
        return cli.start("desk", "plan", what, "--key", key, "--call", call, "--reason", "L2 is short", *more, env=env)

    shown = ended(plan("preview", 40_000), 1)
    assert "AccessControlUnauthorizedAccount" in shown, "the warm wallet has no role yet"
    assert "warm: counts for 40 000, at block" in shown
    assert "not hot: the plan moves 40 000, its plans stay below 10 000" in shown
    assert "passes" in ended(plan("preview", 9_000))
    assert "nobody may sign in" in ended(plan("submit", 9_000, "--yes", *keystore_of(fund, "ines", tmp_path)), 2)
    assert "needs the role operator" in ended(plan("submit", 9_000, "--yes", *keystore_of(fund, "willa", tmp_path)), 2)
    handed_in = ended(plan("submit", 9_000, "--yes", *keystore_of(fund, "otto", tmp_path)))
    assert "monday: IN_PROGRESS by hot, L2 is short" in handed_in
    listed = ended(cli.start("desk", "plan", "list", env=env))
    assert listed.splitlines()[0] == "1 open"
    plan_id = listed.splitlines()[1].split()[0]
    assert "purchaseAsset" in ended(cli.start("desk", "plan", "show", plan_id, env=env))
    assert "would do nothing" in ended(plan("preview", 0), 2)
    assert "plan 'monday' exists with other calls" in ended(plan("preview", 8_000), 2)
    assert "succeed and do nothing" in ended(plan("preview", 900, key="tuesday"), 1), "it is below the asset's minimum"
    ended_plans = ended(cli.start("desk", "plan", "list", "--ended", env=env))
    assert ended_plans == "0 ended\n"
    assert ended(cli.start("desk", "plan", "list", "--all", env=env)).splitlines()[0] == "1 in all"
    env = environment_of(settings)
    assert "NO WALLET" in ended(plan("preview", 900, key="tuesday"), 1)
    wrong = cli.start("desk", "plan", "preview", "--key", "k", "--call", "pause", "--reason", "r", env=env)
    assert "is no call" in ended(wrong, 2)


async def test_a_deed_is_signed_with_ones_own_keystore(
    cli: CliRunner, settings: Settings, harness: SendingHarness, tmp_path: Path
) -> None:
    env = environment_of(settings)
    await seed_users(harness.database, harness.fund.accounts)
    request_id = harness.due_request()
    intent = await harness.queue_settlement(request_id)

    def cancel(by: str) -> CliProcess:
        keys = keystore_of(harness.fund, by, tmp_path)
        return cli.start("desk", "cancel", str(intent.id), "--reason", "I know why", *keys, env=env)

    assert "needs the role admin" in ended(cancel("otto"), 2)
    assert "cancel asked for" in ended(cancel("vera"))
    await harness.drive(harness.keeper)
    assert (await harness.intent(request_id)).status is IntentStatus.CANCELLED
    assert str(intent.id) not in ended(cli.start("desk", env=env))
    for option, title in (("--ended", "1 ended"), ("--all", "1 in all")):
        listed = ended(cli.start("desk", option, env=env))
        assert title in listed
        assert str(intent.id) in listed
    assert "both given" in ended(cli.start("desk", "--ended", "--all", env=env), 2)
