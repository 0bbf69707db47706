"""Stress tests of a real fund, by the API and at the terminal."""

import asyncio
import json

import pytest
from tests.support.api_client import ApiClient, require_example
from tests.support.chain.fund import TestFund
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.scenarios.fund_activity import snapshot_now

from paimon.composition import AppContext
from paimon.domain.risk.stress import STANDARD_SCENARIOS

pytestmark = pytest.mark.integration


async def test_stress_tests_and_investors_are_shown_and_change_nothing(
    app_context: AppContext, fund: TestFund, api_client: ApiClient, cli: CliRunner
) -> None:
    assert (await api_client.post("/risk/stress-test", {}, by="otto")).status_code == 503
    fund.request("ines", 90_000)
    await snapshot_now(app_context, fund)
    refused = await api_client.post("/risk/stress-test", {}, by="willa")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    answer = await api_client.post("/risk/stress-test", {}, by="otto")
    require_example(answer, "risk_stress_test")
    results = answer.json()["data"]["scenarios"]
    assert [result["name"] for result in results] == [scenario.name for scenario in STANDARD_SCENARIOS]
    assert {result["name"] for result in results if not result["keepsEveryPromise"]} == {"the three largest holders leave"}
    smallest = results[0]["smallestRunBps"]
    for run, keeps in ((smallest, False), (smallest - 1, True)):
        own = await api_client.post("/risk/stress-test", {"scenarios": [{"runBps": run, "runDays": 1}]}, by="otto")
        assert own.json()["data"]["scenarios"][0]["keepsEveryPromise"] is keeps
    for wrong in ({"runBps": 10_001}, {"runDays": 61}, {"falls": [{"tier": "L3", "bps": 1}] * 2}, {"frozen": ["0x1"]}):
        refused = await api_client.post("/risk/stress-test", {"scenarios": [wrong]}, by="otto")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    gated = await api_client.post("/risk/gate", {"limitBps": 20, "windowDays": 7, "scenario": {"runBps": 100}}, by="otto")
    require_example(gated, "risk_gate")
    gate = gated.json()["data"]
    assert gate["contractCan"] is False
    assert gate["windows"][0]["paid"] == gate["windows"][0]["allowed"]
    assert gate["daysToClear"] == gate["windows"][-1]["endDay"] > 14
    assert sum(int(row["paid"]) for row in gate["windows"]) == sum(int(one["asked"]) for one in gate["investors"])
    no_window = await api_client.post("/risk/gate", {"limitBps": 20, "windowDays": 0}, by="otto")
    assert (no_window.status_code, no_window.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    investors = await api_client.get("/risk/investors")
    require_example(investors, "risk_investors")
    found = investors.json()["data"]
    assert 0 < float(found["hhi"]) <= float(found["top1"]) <= float(found["top5"]) <= float(found["top10"]) <= 1
    environment = environment_of(app_context.settings)
    started = [cli.start(*line.split(), env=environment) for line in ("stress --json", f"stress --run {smallest - 1}")]
    codes = await asyncio.gather(*(asyncio.to_thread(process.wait) for process in started))
    document, table = (process.output_text for process in started)
    assert codes == [1, 0]
    assert json.loads(document)["scenarios"] == results
    assert "own scenario" in table
    assert "holders: top 1 " in table
