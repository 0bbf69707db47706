"""The fund's risk on a real chain: redemptions raise the level, it settles down again, and API and terminal show it."""

import asyncio
import json
from decimal import Decimal
from typing import Any, Final

import pytest
from tests.support.api_client import ApiClient, require_example
from tests.support.chain.fund import DAY, TestFund
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.database_roles import context_of
from tests.support.scenarios.fund_activity import snapshot_now
from tests.support.scenarios.setup import drain_fund

from paimon.application.common.topics import FUND
from paimon.application.fund_risk.assess import assess_risk
from paimon.application.fund_risk.store import find_assessment
from paimon.application.risk_control.queries import list_unresolved
from paimon.application.risk_control.triage import RISK_ALERT, alert_if_open
from paimon.composition import AppContext
from paimon.domain.risk.indicators import Measurement
from paimon.domain.risk.risk_event import RiskKind
from paimon.domain.risk.risk_policy import IndicatorName, IndicatorStatus, RiskLevel
from paimon.gateway.tasks.app import TASKS
from paimon.gateway.tasks.handlers import handlers
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon.infrastructure.queue.handler import DueMessage

pytestmark = pytest.mark.integration

SHARES: Final = 400_000
"""1.7 % of the fund: less than the 2 % from which on a request waits for a quarterly window."""


@pytest.fixture
def fund_message() -> DueMessage:
    return DueMessage(id=1, kind=FUND, aggregate_id="fund", payload={}, correlation_id=None)


async def assess(app_context: AppContext, fund: TestFund) -> RiskLevel:
    """Assess a minute later, as the clock does; return the level."""
    fund.warp(60)
    await snapshot_now(app_context, fund)
    async with context_of(DatabaseRole.WORKER, app_context) as worker:
        made = await assess_risk(worker.database, worker.settings.risk.policy(), worker.signing_rules.scope)
    assert made is not None
    return made.level.level


def measured(status: dict[str, Any], group: str, name: IndicatorName) -> dict[str, Any]:
    found: dict[str, Any] = {item["name"]: item for item in status["indicators"][group]["indicators"]}[name]
    return found


async def test_redemptions_raise_the_level_and_it_settles_down_again(
    app_context: AppContext, fund: TestFund, api_client: ApiClient, cli: CliRunner
) -> None:
    assert (await api_client.get("/risk/status")).status_code == 404
    levels = [await assess(app_context, fund)]
    for investor in ("ines", "ivan"):  # 3.3 % of the fund in a day
        fund.request(investor, SHARES)
    levels += [await assess(app_context, fund), await assess(app_context, fund)]
    for investor in ("ines", "ivan"):  # 6.7 %
        fund.request(investor, SHARES)
    levels += [await assess(app_context, fund), await assess(app_context, fund)]
    assert levels == [
        *(RiskLevel.NORMAL, RiskLevel.NORMAL, RiskLevel.ELEVATED, RiskLevel.ELEVATED, RiskLevel.HIGH),
    ]
    answer = await api_client.get("/risk/status")
    require_example(answer, "risk_status")
    status = answer.json()["data"]
    assert (status["overallLevel"], status["conditions"][0]["indicator"]) == ("HIGH", "daily_redemption_rate")
    rate = measured(status, "redemption", IndicatorName.DAILY_REDEMPTION_RATE)
    assert (rate["status"], rate["threshold"]) == ("CRITICAL", {"normal": "0.03", "critical": "0.05", "bad": "high"})
    assert Decimal("0.06") < Decimal(rate["value"]) < Decimal("0.07")
    assert measured(status, "price", IndicatorName.ORACLE_STALENESS)["status"] == "NORMAL"
    assert measured(status, "price", IndicatorName.ASSET_PRICE_DEVIATION)["status"] == "NOT_MEASURED"
    assert measured(status, "liquidity", IndicatorName.RCR_7D)["value"] == "Infinity"  # all of them await approval
    await _terminal_shows_the_same(app_context, cli, status)
    async with app_context.database.write() as session:
        (event,) = await list_unresolved(session, RiskKind.RISK_LEVEL)
        (alert,) = await alert_if_open(session, event.id)
    assert (event.finding.subject, alert.channel) == ("level HIGH", RISK_ALERT)

    fund.warp(DAY)  # what was requested is no longer within a day
    settling = await assess(app_context, fund)
    fund.warp(13 * 60)
    still = await assess(app_context, fund)
    assert [settling, still, await assess(app_context, fund)] == [RiskLevel.HIGH, RiskLevel.HIGH, RiskLevel.NORMAL]
    async with app_context.database.read() as session:
        assert await list_unresolved(session, RiskKind.RISK_LEVEL) == []

    history = await api_client.get("/risk/indicators/overall_level/history", interval="assessment", startDate="2020-01-01")
    require_example(history, "risk_indicator_history")
    assert [point["last"] for point in history.json()["data"]["points"]] == ["1", "1", "2", "2", "3", "3", "3", "1"]
    hourly = (await api_client.get("/risk/indicators/overall_level/history")).json()["data"]["points"]
    assert sum(point["samples"] for point in hourly) == 8
    assert max(point["maximum"] for point in hourly) == "3"


async def _terminal_shows_the_same(app_context: AppContext, cli: CliRunner, status: dict[str, Any]) -> None:
    environment = environment_of(app_context.settings)
    started = [cli.start(*line.split(), env=environment) for line in ("risk status", "risk status --json")]
    await asyncio.gather(*(asyncio.to_thread(process.wait) for process in started))
    text, document = (process.output_text for process in started)
    assert json.loads(document) == status
    assert "level HIGH since" in text
    assert "  HIGH: daily_redemption_rate 0.06" in text


async def test_promises_show_what_pays_each_request_and_the_day_of_a_shortage(
    app_context: AppContext, fund: TestFund, api_client: ApiClient, cli: CliRunner
) -> None:
    assert (await api_client.get("/risk/promises")).status_code == 503
    fund.request("ines", 90_000)
    fund.request("ivan", SHARES)  # awaits approval
    await snapshot_now(app_context, fund)
    answer = await api_client.get("/risk/promises")
    require_example(answer, "risk_promises")
    ledger = answer.json()["data"]
    confirmed, awaiting = ledger["promises"]
    assert (confirmed["awaitsApproval"], awaiting["awaitsApproval"]) == (False, True)
    assert [part["tier"] for part in confirmed["funding"]] == ["L1"]
    assert 6 * DAY < confirmed["remainingSeconds"] <= 7 * DAY
    assert sum(int(part["amount"]) for part in awaiting["funding"]) == int(awaiting["amount"])
    assert (len(ledger["ladder"]), ledger["firstShortage"]) == (90, None)
    drain_fund(fund)  # cash, L1 and L2 are gone, and L3 is cash in 60 days only
    await snapshot_now(app_context, fund)
    drained = (await api_client.get("/risk/promises")).json()["data"]
    assert drained["firstShortage"]["day"] in (6, 7)
    assert [(promise["broken"], promise["shortfall"]) for promise in drained["promises"]] == [
        (True, promise["amount"]) for promise in drained["promises"]
    ]
    process = cli.start("risk", "promises", env=environment_of(app_context.settings))
    assert await asyncio.to_thread(process.wait) == 1, process.output_text
    assert "SHORTAGE: " in process.output_text


async def test_worker_assesses_after_events_and_by_the_clock(
    app_context: AppContext, fund: TestFund, fund_message: DueMessage
) -> None:
    async def last_block() -> int | None:
        async with app_context.database.read() as session:
            found = await find_assessment(session)
        return None if found is None else found.block_number

    async def assess_as_worker() -> None:
        async with context_of(DatabaseRole.WORKER, app_context) as worker:
            await TASKS["paimon.assess_risk"](worker)

    first = await snapshot_now(app_context, fund)
    await assess_as_worker()
    assert await last_block() == first.at.number
    fund.request("ines", 10_000)
    fund.warp(60)
    later = await snapshot_now(app_context, fund)
    await assess_as_worker()
    assert await last_block() == first.at.number  # not due yet at NORMAL
    async with context_of(DatabaseRole.WORKER, app_context) as worker:
        on_fund = handlers(worker)[FUND].prepare
        assert on_fund is not None
        await on_fund(fund_message)
    assert await last_block() == later.at.number
    async with app_context.database.read() as session:
        found = await find_assessment(session)
    assert found is not None
    health: list[Measurement] = [one for one in found.measurements if one.name is IndicatorName.SYSTEM_HEALTH]
    assert [one.status for one in health] == [IndicatorStatus.NORMAL]


async def test_dry_run_shows_what_other_thresholds_would_have_found(
    app_context: AppContext, fund: TestFund, api_client: ApiClient, cli: CliRunner
) -> None:
    await assess(app_context, fund)
    proposed = {"indicator": "l1_ratio", "normal": "0.2", "critical": "0.15"}
    answer = await api_client.post("/risk/dry-run", {"thresholds": [proposed]}, by="willa")
    require_example(answer, "risk_dry_run")
    (found,) = [run for run in answer.json()["data"]["indicators"] if run["name"] == "l1_ratio"]
    assert (found["hours"], found["presentBreaches"]) == (1, [])
    (breach,) = found["proposedBreaches"]
    assert (breach["status"], Decimal(breach["worst"]) < Decimal("0.12")) == ("CRITICAL", True)
    line = "risk dry-run --set l1_ratio=0.2/0.15"
    process = cli.start(*line.split(), env=environment_of(app_context.settings))
    assert await asyncio.to_thread(process.wait) == 0, process.output_text
    assert "l1_ratio CRITICAL from" in process.output_text


@pytest.mark.parametrize(
    ("thresholds", "problem"),
    [
        ([{"indicator": "l1_ratio", "normal": "0.1", "critical": "0.2"}], "l1_ratio: low values are bad"),
        ([{"indicator": "tx_failure_rate", "normal": "0.1", "critical": "0.2"}], "tx_failure_rate has no threshold"),
        ([{"indicator": "luck", "normal": "0.1", "critical": "0.2"}], "indicator"),
        ([{"indicator": "l1_ratio", "normal": "-1", "critical": "-2"}], "normal"),
    ],
)
async def test_threshold_that_cannot_be_tried_is_refused(
    api_client: ApiClient, thresholds: list[dict[str, str]], problem: str
) -> None:
    answer = await api_client.post("/risk/dry-run", {"thresholds": thresholds}, by="willa")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert problem in answer.text


async def test_history_of_an_unknown_indicator_names_the_known_ones(api_client: ApiClient) -> None:
    answer = await api_client.get("/risk/indicators/luck/history")
    assert answer.status_code == 404
    assert "l1_ratio" in answer.json()["error"]["message"]
    backwards = {"startDate": "2026-02-02", "endDate": "2026-02-01"}
    assert (await api_client.get("/risk/indicators/l1_ratio/history", **backwards)).status_code == 400
    assert (await api_client.get("/risk/indicators/l1_ratio/history")).json()["data"]["points"] == []
