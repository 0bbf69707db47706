"""Endpoints of the fund's risk: status, indicators over time, promises, forecast, stress tests, gate, investors, dry run."""

from datetime import date, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from paimon.application.fund_risk.forecast import read_forecast
from paimon.application.fund_risk.history import HistoryInterval, dry_run, read_indicator_history, read_status
from paimon.application.fund_risk.promises import read_promises
from paimon.application.fund_risk.stress import read_investor_concentration, run_stress_tests, try_gate
from paimon.domain.risk.liquidity_forecast import Horizon
from paimon.domain.risk.risk_policy import DEFINITIONS, IndicatorName, Threshold
from paimon.gateway.rest.dependencies import ContextDep, RiskHandler, SignedInUser
from paimon.gateway.rest.envelope import Envelope
from paimon.gateway.rest.errors import InvalidInput
from paimon.gateway.rest.list_responses import CsvTable, ResponseFormatDep, unpaged_response
from paimon.gateway.rest.openapi import documented_responses, with_csv
from paimon.gateway.rest.views.forecast import LiquidityForecastView
from paimon.gateway.rest.views.fund_risk import (
    DryRunBody,
    DryRunView,
    IndicatorHistoryView,
    IndicatorPointView,
    ProposedThreshold,
    RiskStatusView,
)
from paimon.gateway.rest.views.gate import GateBody, GateReportView
from paimon.gateway.rest.views.promises import PromiseLedgerView, PromiseView
from paimon.gateway.rest.views.stress import InvestorsView, StressBody, StressReportView
from paimon.infrastructure.database.clock import database_now

router = APIRouter(prefix="/risk", tags=["risk"])

_HISTORY: Final = CsvTable("risk-indicator", IndicatorPointView, Envelope[IndicatorHistoryView], lambda data: data.points)

_PROMISES: Final = CsvTable("promises", PromiseView, Envelope[PromiseLedgerView], lambda data: data.promises)


@router.get(
    "/status",
    operation_id="getRiskStatus",
    summary="Show the fund's risk level, score and indicators",
    responses=documented_responses("risk_status", 401, 404, 503),
)
async def status(context: ContextDep, _user: SignedInUser) -> Envelope[RiskStatusView]:
    """The last assessment, with the thresholds that it was made by. What cannot be measured says why."""
    async with context.database.read() as session:
        return Envelope[RiskStatusView](data=RiskStatusView.of(await read_status(session)))


@router.get(
    "/indicators/{name}/history",
    operation_id="listIndicatorHistory",
    summary="List an indicator's values by assessment, hour or day, oldest first",
    response_model=_HISTORY.envelope,
    responses=with_csv(_HISTORY, documented_responses("risk_indicator_history", 400, 401, 404, 503)),
)
async def history(
    name: str,
    context: ContextDep,
    _user: SignedInUser,
    response_format: ResponseFormatDep,
    start_date: Annotated[
        date | None,
        Query(
            alias="startDate", description="UTC day, included; 1, 30 or 90 days before the end unless given, by the interval"
        ),
    ] = None,
    end_date: Annotated[date | None, Query(alias="endDate", description="UTC day, included")] = None,
    interval: Annotated[HistoryInterval, Query()] = HistoryInterval.HOURLY,
) -> Any:
    """`overall_score` and `overall_level` (1 to 4) have a history too. Values are kept for 90 days, hours and days for good."""
    if start_date is not None and end_date is not None and start_date > end_date:
        raise InvalidInput("endDate", "endDate is before startDate")
    async with context.database.read() as session:
        points = await read_indicator_history(
            session,
            name,
            first_day=start_date,
            last_day=end_date,
            interval=interval,
            points_max=context.settings.risk.history_points_max,
        )
    return await unpaged_response(context, response_format, _HISTORY, IndicatorHistoryView.of(name, interval, points))


@router.get(
    "/promises",
    operation_id="listPromises",
    summary="List open redemption requests with what pays them, and the liquidity of the coming days",
    response_model=_PROMISES.envelope,
    responses=with_csv(_PROMISES, documented_responses("risk_promises", 400, 401, 503)),
)
async def promises(context: ContextDep, _user: SignedInUser, response_format: ResponseFormatDep) -> Any:
    """As of the newest snapshot. It assumes that no price moves and that nothing more is requested: it is no forecast."""
    async with context.database.read() as session:
        ledger = await read_promises(session, context.settings.risk.policy(), context.signing_rules.scope)
    return await unpaged_response(context, response_format, _PROMISES, PromiseLedgerView.of(ledger))


@router.get(
    "/liquidity-forecast",
    operation_id="getLiquidityForecast",
    summary="Forecast the fund's liquidity",
    responses=documented_responses("risk_liquidity_forecast", 400, 401, 404, 503),
)
async def liquidity_forecast(
    context: ContextDep, _user: SignedInUser, horizon: Annotated[Horizon, Query()] = Horizon.SEVEN_DAYS
) -> Envelope[LiquidityForecastView]:
    """The last one: the worker forecasts each hour from the newest snapshot. Below 120 days of history it is not calibrated."""
    async with context.database.read() as session:
        return Envelope[LiquidityForecastView](data=LiquidityForecastView.of(await read_forecast(session, horizon)))


@router.post(
    "/stress-test",
    operation_id="runStressTest",
    summary="Run stress scenarios on the newest snapshot: the standard ones, or one's own",
    responses=documented_responses("risk_stress_test", 400, 401, 403, 413, 415, 503),
)
async def stress_test(body: StressBody, context: ContextDep, _user: RiskHandler) -> Envelope[StressReportView]:
    """It changes nothing. Each scenario also has the smallest run that breaks a promise."""
    async with context.database.read() as session:
        report = await run_stress_tests(session, context.settings.risk.policy(), context.signing_rules.scope, body.chosen())
    return Envelope[StressReportView](data=StressReportView.of(report))


@router.post(
    "/gate",
    operation_id="tryGate",
    summary="Show what a gate on redemptions would do",
    responses=documented_responses("risk_gate", 400, 401, 403, 413, 415, 503),
)
async def gate(body: GateBody, context: ContextDep, _user: RiskHandler) -> Envelope[GateReportView]:
    """As of the newest snapshot, over a year. The contracts have no gate, so it cannot be switched on."""
    async with context.database.read() as session:
        policy, scope = context.settings.risk.policy(), context.signing_rules.scope
        report = await try_gate(session, policy, scope, body.gate(), body.scenario.scenario())
    return Envelope[GateReportView](data=GateReportView.of(report))


@router.get(
    "/investors",
    operation_id="getInvestorConcentration",
    summary="Show how concentrated the fund's investors are",
    responses=documented_responses("risk_investors", 401, 503),
)
async def investors(context: ContextDep, _user: SignedInUser) -> Envelope[InvestorsView]:
    """As of the newest snapshot."""
    async with context.database.read() as session:
        policy, scope = context.settings.risk.policy(), context.signing_rules.scope
        report = await read_investor_concentration(session, policy, scope)
    return Envelope[InvestorsView](data=InvestorsView.of(report))


@router.post(
    "/dry-run",
    operation_id="dryRunThresholds",
    summary="Show which breaches other thresholds would have found",
    responses=documented_responses("risk_dry_run", 400, 401, 413, 415, 503),
)
async def try_thresholds(body: DryRunBody, context: ContextDep, _user: SignedInUser) -> Envelope[DryRunView]:
    """It changes nothing. An hour counts by its worst value; hours of a breach that follow each other are one breach."""
    policy = context.settings.risk.policy()
    proposed = {item.indicator: _threshold(item) for item in body.thresholds}
    unknown = [name for name in proposed if name not in policy.thresholds]
    if unknown:
        raise InvalidInput("thresholds", f"{unknown[0]} has no threshold; those with one are {', '.join(policy.thresholds)}")
    async with context.database.read() as session:
        now = await database_now(session)
        runs = await dry_run(session, policy, proposed, now=now, days=body.days)
    return Envelope[DryRunView](data=DryRunView.of(runs, now - timedelta(days=body.days)))


def _threshold(proposed: ProposedThreshold) -> Threshold:
    name: IndicatorName = proposed.indicator
    threshold, bad = Threshold(proposed.normal, proposed.critical), DEFINITIONS[name].bad
    if not threshold.fits(bad):
        raise InvalidInput("thresholds", f"{name}: {bad} values are bad, so critical must be on that side of normal")
    return threshold
