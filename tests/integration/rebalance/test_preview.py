"""`paimon rebalance preview` on recorded snapshots, as its own process with its own rights."""

import asyncio
import json

import pytest
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.scenarios.fund_activity import snapshot_now

from paimon.composition import AppContext
from paimon.settings import Settings

pytestmark = pytest.mark.integration


async def run(cli: CliRunner, settings: Settings, *options: str, code: int = 0, changes: dict[str, str] | None = None) -> str:
    process = cli.start("rebalance", "preview", *options, env={**environment_of(settings), **(changes or {})})
    assert await asyncio.to_thread(process.wait) == code, process.output_text
    return process.output_text


async def test_preview_shows_the_plan_that_brings_the_recorded_fund_to_its_targets(
    cli: CliRunner, app_context: AppContext, fund: TestFund
) -> None:
    settings = app_context.settings
    assert "first snapshot has not been taken yet" in await run(cli, settings, code=2)
    await snapshot_now(app_context, fund)
    text = await run(cli, settings)
    document = json.loads(await run(cli, settings, "--json"))
    assert f"at block {document['blockNumber']}" in text
    assert {trigger["name"] for trigger in document["triggers"]} >= {"l1_below", "tier_deviation", "short_of_cash"}
    for action in document["actions"]:
        assert action["amount"] in text
    assert document["actions"] or document["reason"] in text


async def test_targets_of_the_settings_are_used_and_impossible_ones_refused(
    cli: CliRunner, app_context: AppContext, fund: TestFund
) -> None:
    await snapshot_now(app_context, fund)
    targets = {"PAIMON_REBALANCE__L1_TARGET_BPS": "1500", "PAIMON_REBALANCE__L2_TARGET_BPS": "2700"}
    document = json.loads(await run(cli, app_context.settings, "--json", changes=targets))
    assert document["targetState"] == {"L1": "15.00 %", "L2": "27.00 %", "L3": "58.00 %"}
    refused = await run(cli, app_context.settings, code=2, changes={"PAIMON_REBALANCE__L1_TARGET_BPS": "1500"})
    assert "add up to 10400" in refused
