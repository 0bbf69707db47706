"""The forecast of a real fund: made by the worker, shown by the API and at the terminal, and used by the next assessment."""

import asyncio
import json
from dataclasses import replace
from typing import Final

import pytest
from sqlalchemy import select
from tests.support.api_client import ApiClient, require_example
from tests.support.chain.fund import WAD, TestFund
from tests.support.cli_processes import CliRunner, environment_of
from tests.support.database_roles import context_of
from tests.support.scenarios.fund_activity import snapshot_now
from tests.support.scenarios.setup import drain_fund

from paimon.application.fund_risk.assess import assess_risk
from paimon.application.fund_risk.forecast import make_forecasts
from paimon.application.fund_risk.store import ForecastReport, find_forecast, save_forecast
from paimon.composition import AppContext
from paimon.domain.risk.liquidity_forecast import Horizon
from paimon.domain.risk.risk_event import RiskKind, RiskStatus, Severity
from paimon.domain.risk.risk_policy import IndicatorName, RiskPolicy
from paimon.infrastructure.database.models.ops.risk import RiskEventRow
from paimon.infrastructure.database.rights.roles import DatabaseRole

pytestmark = pytest.mark.integration

POLICY: Final = RiskPolicy()


async def forecast(app_context: AppContext) -> list[ForecastReport]:
    async with context_of(DatabaseRole.WORKER, app_context) as worker:
        return await make_forecasts(worker.database, POLICY, worker.signing_rules.scope)


async def shortage(app_context: AppContext) -> RiskEventRow:
    async with app_context.database.read() as session:
        return (await session.scalars(select(RiskEventRow).where(RiskEventRow.kind == RiskKind.LIQUIDITY_SHORTAGE))).one()


async def test_forecast_is_made_once_a_block_and_shown_with_its_days(
    app_context: AppContext, fund: TestFund, api_client: ApiClient, cli: CliRunner
) -> None:
    database = app_context.database
    assert await forecast(app_context) == []
    assert (await api_client.get("/risk/liquidity-forecast")).status_code == 404
    fund.request("ines", 90_000)
    await snapshot_now(app_context, fund)
    made = await forecast(app_context)
    assert [report.forecast.horizon for report in made] == list(Horizon)
    assert await forecast(app_context) == [], "the same block has one forecast"
    async with database.read() as session:
        assert [await find_forecast(session, horizon) for horizon in Horizon] == made
    answer = await api_client.get("/risk/liquidity-forecast", horizon="7d")
    require_example(answer, "risk_liquidity_forecast")
    found = answer.json()["data"]
    assert (found["horizon"], found["calibrated"], len(found["fan"])) == ("7d", False, 7)
    assert found["asOf"]["number"] == made[0].at.number
    assert (await api_client.get("/risk/liquidity-forecast", horizon="2d")).json()["error"]["code"] == "VALIDATION_ERROR"
    async with context_of(DatabaseRole.WORKER, app_context) as worker:
        assessment = await assess_risk(worker.database, POLICY, worker.signing_rules.scope)
    assert assessment is not None
    measured = {one.name: one for one in assessment.measurements}
    stressed = measured[IndicatorName.RCR_7D_STRESSED]
    assert stressed.value is not None
    assert stressed.value < (measured[IndicatorName.RCR_7D].value or 0)
    assert "less than 120 days are recorded" in (stressed.note or "")
    environment = environment_of(app_context.settings)
    started = [cli.start(*line.split(), env=environment) for line in ("forecast --json", "forecast --horizon 1d")]
    codes = await asyncio.gather(*(asyncio.to_thread(process.wait) for process in started))
    document, table = (process.output_text for process in started)
    assert codes == [0, 0]
    assert json.loads(document) == found
    assert "NONE: a shortage within 1d has a chance of 0.0%" in table
    assert "uncalibrated" in table


async def test_shortage_opens_one_event_and_its_end_resolves_it(app_context: AppContext, fund: TestFund) -> None:
    fund.request("ines", 90_000)
    drain_fund(fund)
    await snapshot_now(app_context, fund)
    made = await forecast(app_context)
    assert made[-1].forecast.shortfall_chance > 0.9
    opened = await shortage(app_context)
    assert (opened.status, opened.severity, opened.expected) == (RiskStatus.OPEN, Severity.WARNING, "below 20%")
    assert opened.observed.endswith(" by day 30")
    fund.send_to("ada", "TestToken", fund.deployment.usdt, "mint", fund.deployment.vault, 10_000_000 * WAD)
    fund.warp(60)
    await snapshot_now(app_context, fund)
    assert await forecast(app_context)
    assert (await shortage(app_context)).status is RiskStatus.RESOLVED


async def test_forecast_of_an_earlier_block_replaces_nothing(app_context: AppContext, fund: TestFund) -> None:
    await snapshot_now(app_context, fund)
    made = await forecast(app_context)
    older = replace(made[0], at=replace(made[0].at, number=made[0].at.number - 1), policy_version="000000000000")
    async with context_of(DatabaseRole.WORKER, app_context) as worker, worker.database.write() as session:
        await save_forecast(session, older)
        assert await find_forecast(session, Horizon.ONE_DAY) == made[0]
