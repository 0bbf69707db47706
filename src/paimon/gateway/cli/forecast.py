"""`paimon forecast`: show the last forecast of the fund's liquidity."""

import asyncio
from collections.abc import Iterator
from typing import Annotated

import typer

from paimon.application.fund_risk.forecast import read_forecast
from paimon.application.fund_risk.store import ForecastReport
from paimon.domain.risk.liquidity_forecast import FanDay, Horizon, Recommendation
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.lists import Column, Money, Table, minute
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.rest.views.forecast import LiquidityForecastView
from paimon.settings import Settings, load_settings

app = CommandApp()


@app.command("forecast")
def forecast_command(
    context: typer.Context,
    horizon: Annotated[Horizon, typer.Option(help="How far to look.")] = Horizon.SEVEN_DAYS,
    as_json: AsJson = False,
) -> None:
    """Show the last forecast of the fund's liquidity.

    Exit with 1 when the chance of a shortage asks for more than watching.
    """
    with exit_on_error():
        report = asyncio.run(_read(load_settings(context.obj), horizon))
    if as_json:
        print_json(json_of(LiquidityForecastView.of(report)))
    else:
        print("\n".join(_lines(report)))
    if report.forecast.recommendation in (Recommendation.PREPARE_LIQUIDITY, Recommendation.EMERGENCY):
        raise typer.Exit(1)


async def _read(settings: Settings, horizon: Horizon) -> ForecastReport:
    async with opened_database(settings, process="forecast") as database, database.read() as session:
        return await read_forecast(session, horizon)


def _lines(report: ForecastReport) -> Iterator[str]:
    found, money = report.forecast, Money(report.forecast.asset_decimals)
    columns: tuple[Column[FanDay], ...] = (
        Column("DAY", lambda day: day.day + 1, is_number=True),
        Column("REQUESTS", lambda day: money.text(day.requests_mean), is_number=True),
        Column("BALANCE", lambda day: money.text(day.balance_mean), is_number=True),
        Column("AT LEAST", lambda day: money.text(day.balance_lower), is_number=True),
        Column("SHORTAGE", lambda day: f"{day.shortfall_chance:.1%}", is_number=True),
    )
    yield from Table("days", columns).lines(found.fan)
    yield (
        f"{found.recommendation}: a shortage within {found.horizon} has a chance of {found.shortfall_chance:.1%};"
        f" {money.text(found.available)} can be cash, {money.text(found.due_outflow)} is due"
    )
    if not found.is_calibrated:
        yield f"uncalibrated: {found.history_days} days of history, completed with a prior"
    if found.note:
        yield found.note
    yield f"at block {report.at.number} of {minute(report.at.timestamp)} UTC"
