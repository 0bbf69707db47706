"""`paimon snapshot`, `nav explain`, `reconcile` and `status`, as a person at a terminal sees them."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from tests.support.chain.fund import TestFund
from tests.support.chain.recording import record_all
from tests.support.cli_processes import CliProcess, CliRunner, environment_of
from tests.support.scenarios.fund_activity import FundActivity

from paimon.application.monitoring.retention import apply_retention
from paimon.composition import AppContext
from paimon.settings import Settings

pytestmark = pytest.mark.integration

NOBODY = "0x" + "77" * 20


@pytest.fixture(scope="module")
def cli() -> Iterator[CliRunner]:
    with CliRunner() as opened:
        yield opened


@pytest.fixture
def env(settings: Settings) -> dict[str, str]:
    return environment_of(settings)


def succeeded(program: CliProcess) -> dict[str, str]:
    """What it printed, by the first words of each line."""
    assert program.wait() == 0, program.output_text
    return {line[:26].strip(): line[26:].strip() for line in program.output_text.splitlines()}


async def test_a_snapshot_by_hand_and_the_change_between_two(
    cli: CliRunner, env: dict[str, str], app_context: AppContext, fund: TestFund
) -> None:
    await record_all(app_context, fund)
    first = succeeded(cli.start("snapshot", env=env))
    assert first["NAV per share"] == first["the contract says"] == "0.999999999999991666"
    assert first["OTC in transit"] == "0.000000000000000000"
    FundActivity(fund).buy("RWAC", 100_000)  # through the swap helper, at 0.2 % from the price
    await record_all(app_context, fund)
    assert cli.start("snapshot", env=env).wait() == 0
    for ends, words in (
        (("--from", "1", "--to", "2100-01-01"), "2100-01-01 has not begun"),
        (("--from", "5", "--to", "5"), "there is no snapshot of the fund at or before block 5; the first is of block"),
    ):
        told = cli.start("nav", "explain", *ends, env=env)
        assert told.wait() == 2, told.output_text
        assert words in told.output_text
    told = cli.start("nav", "explain", "--from", first["block"].split(" of ")[1].split()[0], env=env)
    assert told.wait() == 0, told.output_text
    assert told.output_text.splitlines()[0].endswith("UTC, the fund's first snapshot")
    told = cli.start("nav", "explain", "--from", first["block"].split()[0].removeprefix("#"), env=env)
    assert told.wait() == 0, told.output_text
    trading = next(line.split() for line in told.output_text.splitlines() if line.startswith("trading"))
    assert trading[1:] == ["-200.000000000000000000", "-0.000008333333333334"]
    assert told.output_text.splitlines()[-1] == "explained through 1 interval; unexplained: 0"


async def test_what_is_unexplained_ends_with_1(
    cli: CliRunner, env: dict[str, str], app_context: AppContext, fund: TestFund
) -> None:
    await record_all(app_context, fund)
    first = succeeded(cli.start("snapshot", env=env))["block"].split()[0].removeprefix("#")
    FundActivity(fund).act("ada", "TestToken", fund.deployment.usdt, "mint", fund.deployment.vault, 10**18)
    await record_all(app_context, fund)
    assert cli.start("snapshot", env=env).wait() == 0
    told = cli.start("nav", "explain", "--from", first, env=env)
    assert told.wait() == 1, told.output_text
    assert "unexplained: 1" in told.output_text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("snapshot",), "the listener has recorded nothing yet"),
        (("nav", "explain", "--from", "5"), "there is no snapshot of the fund at or before block 5"),
        (("nav", "explain", "--from", "last week"), "neither a block nor a day"),
    ],
)
def test_what_cannot_be_told_is_said_in_words(
    cli: CliRunner, env: dict[str, str], arguments: tuple[str, ...], words: str
) -> None:
    program = cli.start(*arguments, env=env)
    assert program.wait() == 2, program.output_text
    assert words in " ".join(program.output_text.replace("│", " ").split())
    assert "Traceback" not in program.output_text


async def test_reconcile_names_each_difference_with_its_age_and_owner_and_gives_it_to_somebody(
    cli: CliRunner, env: dict[str, str], app_context: AppContext, fund: TestFund
) -> None:
    await record_all(app_context, fund)
    assert cli.start("reconcile", env=env).wait() == 0
    async with app_context.database.write() as session:
        await session.execute(text("UPDATE derived.contract_flags SET enabled = NOT enabled"))
        await session.execute(text("UPDATE derived.protocol_addresses SET address = holder FROM derived.holdings"))
    told = cli.start("reconcile", env=env)
    assert told.wait() == 1, told.output_text
    first = next(line for line in told.output_text.splitlines() if line.startswith("1 "))
    assert re.match(r"1 CRITICAL open for 0 min, admin: \w+ of \w+: books 0x\w+, chain 0x\w+$", first), first
    given = cli.start("reconcile", "--assign", "1", "super_admin", env=env)
    assert given.wait() == 0, given.output_text
    assert given.output_text.startswith("1 is now super_admin's: ")
    assert "1 CRITICAL open for 0 min, super_admin: " in _said(cli.start("reconcile", env=env))
    refusals = {("4711", "admin"): "no risk event 4711", ("1", "boss"): "neither an address", ("1", NOBODY): "nobody's"}
    for (event, owner), why in refusals.items():
        refused = cli.start("reconcile", "--assign", event, owner, env=env)
        assert refused.wait() == 2
        assert why in refused.output_text


def _said(program: CliProcess) -> str:
    program.wait()
    return program.output_text


async def test_status_tells_how_the_listener_does_and_what_retention_did(
    cli: CliRunner, env: dict[str, str], app_context: AppContext, fund: TestFund
) -> None:
    fresh = succeeded(cli.start("status", env=env))
    assert fresh["processing"] == "nothing recorded in 5 min"
    assert fresh["time series"] == "plain tables"
    await record_all(app_context, fund)
    await apply_retention(app_context.database, app_context.settings.retention)
    told = succeeded(cli.start("status", env=env))
    assert re.fullmatch(
        r"\d+\.\d\d blocks/s and \d+ logs in 5 min, \d+\.\d ms a batch, at most 0 blocks behind final", told["processing"]
    )
    for series in ("daily_snapshots", "asset_holdings_snapshots", "event_processing_logs"):
        assert re.fullmatch(r"kept from \d{4}-\d\d-\d\d, 0 rows removed \(looked .* UTC\)", told[series]), series
