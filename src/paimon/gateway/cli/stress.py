"""`paimon stress`: run stress scenarios on the newest snapshot, and show how concentrated the investors are."""

import asyncio
from collections.abc import Iterator
from typing import Annotated

import typer

from paimon.application.fund_risk.stress import (
    InvestorReport,
    StressedScenario,
    StressReport,
    read_investor_concentration,
    run_stress_tests,
)
from paimon.composition import signing_rules
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import Address, parse_address
from paimon.domain.kernel.units import Bps
from paimon.domain.risk.risk_policy import plain_text
from paimon.domain.risk.stress import RUN_DAYS_MAX, STANDARD_SCENARIOS, Scenario
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.lists import Column, Money, Table, minute
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.rest.views.stress import StressReportView
from paimon.settings import Settings, load_settings

app = CommandApp()


def _parse_fall(text: str) -> tuple[Tier, Bps]:
    tier, _, bps = text.partition("=")
    if tier not in tuple(Tier) or not (bps.isascii() and bps.isdigit() and int(bps) <= 10_000):
        raise ValueError(f"{text!r} is not of the form L3=2000: a tier and basis points, at most 10000")
    return Tier(tier), Bps(int(bps))


@app.command("stress")
def stress_command(
    context: typer.Context,
    run: Annotated[int, typer.Option(min=0, max=10_000, help="Part of net assets that is requested, in basis points.")] = 0,
    days: Annotated[int, typer.Option(min=1, max=RUN_DAYS_MAX, help="Days over which it is requested.")] = 1,
    falls: Annotated[
        list[str],
        typer.Option(
            "--fall",
            metavar="TIER=BPS",
            help="A fall of a tier's prices, such as L3=2000; may be given for each.",
            show_default=False,
        ),
    ] = [],  # noqa: B006 — Typer reads it only
    frozen: Annotated[
        list[Address],
        typer.Option(
            "--freeze", metavar="TOKEN", parser=parse_address, help="An asset that cannot be sold.", show_default=False
        ),
    ] = [],  # noqa: B006 — Typer reads it only
    leave: Annotated[int, typer.Option(min=0, max=1_000, help="How many of the largest holders request all they have.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Run stress scenarios on the fund, and show how concentrated its investors are.

    They are the standard scenarios, or the one of the options. Exit with 1 when a scenario breaks a promise.
    """
    try:
        fallen = dict(map(_parse_fall, falls))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--fall") from error
    own = Scenario("own scenario", Bps(run), days, fallen, frozenset(frozen), leaving_holders=leave)
    is_own = bool(run or fallen or frozen or leave)
    with exit_on_error():
        report, investors = asyncio.run(_run(load_settings(context.obj), (own,) if is_own else STANDARD_SCENARIOS))
    if as_json:
        print_json(json_of(StressReportView.of(report)))
    else:
        print("\n".join(_lines(report, investors)))
    if not all(stressed.result.keeps_every_promise for stressed in report.scenarios):
        raise typer.Exit(1)


async def _run(settings: Settings, scenarios: tuple[Scenario, ...]) -> tuple[StressReport, InvestorReport]:
    policy, scope = settings.risk.policy(), signing_rules(settings).scope
    async with opened_database(settings, process="stress") as database, database.read() as session:
        report = await run_stress_tests(session, policy, scope, scenarios)
        return report, await read_investor_concentration(session, policy, scope)


def _lines(report: StressReport, investors: InvestorReport) -> Iterator[str]:
    money = Money(report.asset_decimals)
    columns: tuple[Column[StressedScenario], ...] = (
        Column("SCENARIO", lambda stressed: stressed.result.scenario.name),
        Column("OUTFLOW", lambda stressed: money.text(stressed.result.outflow), is_number=True),
        Column("SHORT ON DAY", lambda stressed: stressed.result.shortage and stressed.result.shortage.day, is_number=True),
        Column("SHORTFALL", lambda stressed: money.text(stressed.result.shortfall), is_number=True),
        Column("BROKEN", lambda stressed: len(stressed.result.broken), is_number=True),
        Column("BREAKS FROM A RUN OF", lambda stressed: _percent(stressed.smallest_run), is_number=True),
    )
    yield from Table("scenarios", columns).lines(report.scenarios)
    if (found := investors.concentration) is not None:
        tops = ", ".join(f"top {count} {plain_text(part)}" for count, part in found.top.items())
        leavers = "all together leave no shortage" if found.leavers is None else f"{found.leavers} that leave empty it"
        yield f"{found.holders} holders: {tops}, HHI {plain_text(found.hhi)}; of what can be cash in 7 days, {leavers}"
    yield f"at block {report.at.number} of {minute(report.at.timestamp)} UTC"
    if report.note:
        yield report.note


def _percent(bps: Bps | None) -> str:
    return "no run" if bps is None else f"{bps / 100:g} %"
