"""`paimon snapshot`, `nav explain`, `reconcile` and `status`, as an operator at a terminal sees them."""

import re

import pytest
from sqlalchemy import text
from tests.support.chain.fund import TestFund
from tests.support.chain.recording import record_all
from tests.support.cli_processes import CliProcess, CliRunner, environment_at_a_terminal
from tests.support.scenarios.fund_activity import FundActivity

from paimon.application.monitoring.retention import apply_retention
from paimon.composition import AppContext
from paimon.settings import Settings

pytestmark = pytest.mark.integration

UNKNOWN_ADDRESS = "0x" + "77" * 20


@pytest.fixture
def env(settings: Settings) -> dict[str, str]:
    return environment_at_a_terminal(settings)


def output_of(process: CliProcess, *, code: int = 0) -> str:
    """Wait for the command, check its exit code and return its output."""
    assert process.wait() == code, process.output_text
    return process.output_text


def lines_by_label(process: CliProcess, *, code: int = 0) -> dict[str, str]:
    """Return the output of a command by the label of each line."""
    return {line[:26].strip(): line[26:].strip() for line in output_of(process, code=code).splitlines()}


async def test_nav_explain_explains_the_change_between_two_snapshots(
    cli: CliRunner, env: dict[str, str], app_context: AppContext, fund: TestFund
) -> None:
    await record_all(app_context, fund)
    first = lines_by_label(cli.start("snapshot", env=env))
    assert first["NAV per share"] == first["share price on chain"] == "0.999999999999991666"
    assert first["OTC in transit"] == "0.000000000000000000"
    FundActivity(fund).buy("RWAC", 100_000)  # through the swap helper, at 0.2 % from the price
    await record_all(app_context, fund)
    output_of(cli.start("snapshot", env=env))
    for ends, message in (
        (("--from", "1", "--to", "2100-01-01"), "2100-01-01 has not begun"),
        (("--from", "5", "--to", "5"), "there is no snapshot of the fund at or before block 5; the first is of block"),
    ):
        assert message in output_of(cli.start("nav", "explain", *ends, env=env), code=2)
    day = first["block"].split(" of ")[1].split()[0]
    from_day = output_of(cli.start("nav", "explain", "--from", day, env=env))
    assert from_day.splitlines()[0].endswith("UTC, the fund's first snapshot")
    block = first["block"].split()[0].removeprefix("#")
    from_block = output_of(cli.start("nav", "explain", "--from", block, env=env))
    trading = next(line.split() for line in from_block.splitlines() if line.startswith("trading"))
    assert trading[1:] == ["-200.000000000000000000", "-0.000008333333333334"]
    assert from_block.splitlines()[-1] == "explained through 1 interval; unexplained: 0"


async def test_nav_explain_exits_with_1_when_a_part_is_unexplained(
    cli: CliRunner, env: dict[str, str], app_context: AppContext, fund: TestFund
) -> None:
    await record_all(app_context, fund)
    first = lines_by_label(cli.start("snapshot", env=env))["block"].split()[0].removeprefix("#")
    FundActivity(fund).act("ada", "TestToken", fund.deployment.usdt, "mint", fund.deployment.vault, 10**18)
    await record_all(app_context, fund)
    output_of(cli.start("snapshot", env=env))
    assert "unexplained: 1" in output_of(cli.start("nav", "explain", "--from", first, env=env), code=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("snapshot",), "the listener has recorded nothing yet"),
        (("nav", "explain", "--from", "5"), "there is no snapshot of the fund at or before block 5"),
        (("nav", "explain", "--from", "last week"), "neither a block nor a day"),
    ],
)
def test_command_exits_with_a_message_when_it_has_no_answer(
    cli: CliRunner, env: dict[str, str], arguments: tuple[str, ...], message: str
) -> None:
    output = output_of(cli.start(*arguments, env=env), code=2)
    assert message in " ".join(output.replace("│", " ").split())
    assert "Traceback" not in output


async def test_reconcile_shows_age_and_owner_of_differences_and_assigns_one(
    cli: CliRunner, env: dict[str, str], app_context: AppContext, fund: TestFund
) -> None:
    await record_all(app_context, fund)
    output_of(cli.start("reconcile", env=env))
    async with app_context.database.write() as session:
        await session.execute(text("UPDATE derived.contract_flags SET enabled = NOT enabled"))
        await session.execute(text("UPDATE derived.protocol_addresses SET address = holder FROM derived.share_balances"))
    output = output_of(cli.start("reconcile", env=env), code=1)
    first = next(line for line in output.splitlines() if line.startswith("1 "))
    assert re.match(r"1 CRITICAL open for \d+ s, admin: \w+ of \w+: recorded 0x\w+, on chain 0x\w+$", first), first
    assigned = output_of(cli.start("reconcile", "--assign", "1", "super_admin", env=env))
    assert assigned.startswith("risk event 1 is assigned to super_admin: ")
    assert re.search(r"^1 CRITICAL open for \d+ s, super_admin: ", output_of(cli.start("reconcile", env=env), code=1), re.M)
    refusals = {
        ("4711", "admin"): "no risk event 4711",
        ("1", "boss"): "neither an address",
        ("1", UNKNOWN_ADDRESS): "is not a user",
    }
    for (event, owner), message in refusals.items():
        assert message in output_of(cli.start("reconcile", "--assign", event, owner, env=env), code=2)


async def test_status_shows_processing_and_retention(
    cli: CliRunner, env: dict[str, str], app_context: AppContext, fund: TestFund
) -> None:
    fresh = lines_by_label(cli.start("status", env=env), code=1)
    assert fresh["processing"] == "nothing recorded in 5 min"
    assert fresh["time series"] == "plain tables"
    assert fresh["reconciliation"] == "none yet"
    await record_all(app_context, fund)
    await apply_retention(app_context.database, app_context.settings.retention)
    status = lines_by_label(cli.start("status", env=env), code=1)
    assert re.fullmatch(
        r"\d+\.\d\d blocks/s and \d+ logs in 5 min, \d+\.\d ms a batch, at most 0 blocks behind final", status["processing"]
    )
    for series in ("daily_snapshots", "asset_holdings_snapshots", "event_processing_logs"):
        assert re.fullmatch(r"kept from \d{4}-\d\d-\d\d, 0 rows removed \(last run .* UTC\)", status[series]), series
