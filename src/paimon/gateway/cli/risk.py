"""`paimon risk`: show the fund's risk, its promises, an indicator's history, and what other thresholds would have found."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from paimon.application.fund_risk.history import (
    DRY_RUN_DAYS,
    HistoryInterval,
    HistoryPoint,
    RiskStatus,
    dry_run,
    read_indicator_history,
    read_status,
)
from paimon.application.fund_risk.promises import PromiseLedger, read_promises
from paimon.composition import signing_rules
from paimon.domain.asset.tier import Tier
from paimon.domain.risk.assessment import describe_threshold, value_text
from paimon.domain.risk.indicators import Measurement
from paimon.domain.risk.promises import Promise
from paimon.domain.risk.risk_policy import DEFINITIONS, IndicatorName, Threshold, plain_text
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, json_of, print_json
from paimon.gateway.cli.lists import Column, FirstDay, LastDay, Money, Table, minute, require_order
from paimon.gateway.cli.process import exit_on_error
from paimon.gateway.cli.resources import opened_database
from paimon.gateway.cli.text import format_age, pluralize
from paimon.gateway.rest.views.fund_risk import DryRunResultView, DryRunView, IndicatorHistoryView, RiskStatusView
from paimon.gateway.rest.views.promises import PromiseLedgerView
from paimon.infrastructure.database.clock import database_now
from paimon.settings import Settings, load_settings

app = CommandApp(help="Show the fund's risk, and try thresholds on what is recorded.", no_args_is_help=True)


@app.command("status")
def status_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the fund's risk level, score and indicators, as last assessed."""
    with exit_on_error():
        status = asyncio.run(_read_status(load_settings(context.obj)))
    if as_json:
        print_json(json_of(RiskStatusView.of(status)))
    else:
        print("\n".join(_status_lines(status)))


async def _read_status(settings: Settings) -> RiskStatus:
    async with opened_database(settings, process="risk") as database, database.read() as session:
        return await read_status(session)


def _status_lines(status: RiskStatus) -> Iterator[str]:
    assessment, level = status.assessment, status.assessment.level
    settling = f", settling since {minute(level.lower_since)}" if level.lower_since else ""
    yield f"level {level.level} since {minute(level.since)} UTC{settling}; score {plain_text(assessment.score.value)}"
    for held in status.held:
        row = held.condition
        value = value_text(held.measurement.value or Decimal(0))
        yield f"  {row.level}: {row.indicator} {value}, limit {plain_text(row.limit)}"
    columns: tuple[Column[Measurement], ...] = (
        Column("INDICATOR", lambda measured: measured.name),
        Column("VALUE", lambda measured: None if measured.value is None else value_text(measured.value), is_number=True),
        Column("STATUS", lambda measured: measured.status),
        Column("THRESHOLD", lambda measured: _threshold_text(status, measured.name)),
        Column("NOTE", lambda measured: measured.note or ""),
    )
    yield from Table("indicators", columns).lines(assessment.measurements)
    yield f"at block {assessment.block_number} of {minute(level.assessed_at)} UTC, by policy {assessment.policy_version}"


def _threshold_text(status: RiskStatus, name: IndicatorName) -> str | None:
    threshold = status.policy.thresholds.get(name)
    return None if threshold is None else describe_threshold(threshold, DEFINITIONS[name].bad)


@app.command("promises")
def promises_command(context: typer.Context, as_json: AsJson = False) -> None:
    """List open redemption requests by due date, with what pays them. Exit with 1 when one cannot be paid by its date."""

    async def read(settings: Settings) -> PromiseLedger:
        async with opened_database(settings, process="risk") as database, database.read() as session:
            return await read_promises(session, settings.risk.policy(), signing_rules(settings).scope)

    with exit_on_error():
        ledger = asyncio.run(read(load_settings(context.obj)))
    if as_json:
        print_json(json_of(PromiseLedgerView.of(ledger)))
    else:
        print("\n".join(_promise_lines(ledger)))
    if any(promise.is_broken for promise in ledger.promises):
        raise typer.Exit(1)


def _promise_lines(ledger: PromiseLedger) -> Iterator[str]:
    money, now = Money(ledger.asset_decimals), ledger.at.timestamp
    columns: tuple[Column[Promise], ...] = (
        Column("REQUEST", lambda promise: promise.request.request_id, is_number=True),
        Column("DUE", lambda promise: minute(promise.due_at)),
        Column("IN", lambda promise: _countdown(promise.remaining(now))),
        Column("AMOUNT", lambda promise: money.text(promise.request.amount), is_number=True),
        Column("SHORTFALL", lambda promise: money.text(promise.shortfall) if promise.is_broken else "-", is_number=True),
        Column("PAID BY", lambda promise: _paid_by(promise, money)),
        Column("", lambda promise: "awaits approval" if promise.request.awaits_approval else ""),
    )
    yield from Table("promises", columns).lines(ledger.promises) if ledger.promises else ()
    yield pluralize(len(ledger.promises), "open request") + f" at block {ledger.at.number} of {minute(now)} UTC"
    if (shortage := ledger.first_shortage) is not None:
        missing = money.text(-shortage.closing)
        yield f"SHORTAGE: {missing} on day {shortage.day}, until {minute(shortage.ends_at)} UTC"
    if ledger.note:
        yield ledger.note


def _countdown(remaining: timedelta) -> str:
    return f"overdue {format_age(-remaining)}" if remaining < timedelta(0) else format_age(remaining)


def _paid_by(promise: Promise, money: Money) -> str:
    by_tier: dict[Tier, int] = {}
    for part in promise.funding:
        by_tier[part.tier] = by_tier.get(part.tier, 0) + part.amount
    return ", ".join(f"{tier} {money.text(amount)}" for tier, amount in by_tier.items()) or "-"


@app.command("history")
def history_command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The indicator, overall_score or overall_level.", show_default=False)],
    first_day: FirstDay = None,
    last_day: LastDay = None,
    interval: Annotated[HistoryInterval, typer.Option(help="One point for each.")] = HistoryInterval.HOURLY,
    as_json: AsJson = False,
) -> None:
    """List an indicator's values, oldest first."""
    require_order(first_day, last_day)

    async def read(settings: Settings) -> list[HistoryPoint]:
        async with opened_database(settings, process="risk") as database, database.read() as session:
            return await read_indicator_history(
                session,
                name,
                first_day=first_day,
                last_day=last_day,
                interval=interval,
                points_max=settings.risk.history_points_max,
            )

    with exit_on_error():
        points = asyncio.run(read(load_settings(context.obj)))
    if as_json:
        print_json(json_of(IndicatorHistoryView.of(name, interval, points)))
        return
    columns: tuple[Column[HistoryPoint], ...] = (
        Column("TIME", lambda point: minute(point.time)),
        Column("LAST", lambda point: value_text(point.last), is_number=True),
        Column("MINIMUM", lambda point: value_text(point.minimum), is_number=True),
        Column("MAXIMUM", lambda point: value_text(point.maximum), is_number=True),
        Column("SAMPLES", lambda point: point.samples, is_number=True),
    )
    print("\n".join(Table("points", columns).lines(points)) if points else f"{name} has no values in these days")


def _parse_proposal(text: str) -> tuple[IndicatorName, Threshold]:
    name, _, edges = text.partition("=")
    normal, _, critical = edges.partition("/")
    try:
        indicator, threshold = IndicatorName(name), Threshold(Decimal(normal), Decimal(critical))
    except (ValueError, InvalidOperation):
        form = "l1_ratio=0.12/0.09: an indicator, the edge of its normal values, and that of its critical ones"
        raise ValueError(f"{text!r} is not of the form {form}") from None
    bad = DEFINITIONS[indicator].bad
    if not (threshold.normal.is_finite() and threshold.critical.is_finite() and threshold.fits(bad)):
        raise ValueError(f"{name}: {bad} values are bad, so critical must be on that side of normal")
    return indicator, threshold


@app.command("dry-run")
def dry_run_command(
    context: typer.Context,
    proposals: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="INDICATOR=NORMAL/CRITICAL",
            help="A threshold to try, such as l1_ratio=0.12/0.09; may be given several times.",
            show_default=False,
        ),
    ] = [],  # noqa: B006 — Typer reads it only
    days: Annotated[int, typer.Option(min=1, max=3_650, help="How far back.")] = DRY_RUN_DAYS,
    as_json: AsJson = False,
) -> None:
    """Show which breaches other thresholds would have found, beside the present ones. It changes nothing."""
    try:
        proposed = dict(map(_parse_proposal, proposals))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from error

    async def run(settings: Settings) -> DryRunView:
        async with opened_database(settings, process="risk") as database, database.read() as session:
            now = await database_now(session)
            runs = await dry_run(session, settings.risk.policy(), proposed, now=now, days=days)
            return DryRunView.of(runs, now - timedelta(days=days))

    with exit_on_error():
        view = asyncio.run(run(load_settings(context.obj)))
    if as_json:
        print_json(json_of(view))
    else:
        print("\n".join(_dry_run_lines(view)))


def _dry_run_lines(view: DryRunView) -> Iterator[str]:
    columns: tuple[Column[DryRunResultView], ...] = (
        Column("INDICATOR", lambda run: run.name),
        Column("HOURS", lambda run: run.hours, is_number=True),
        Column("PRESENT", lambda run: f"{plain_text(run.present.normal)}/{plain_text(run.present.critical)}"),
        Column("BREACHES", lambda run: len(run.present_breaches), is_number=True),
        Column("PROPOSED", lambda run: f"{plain_text(run.proposed.normal)}/{plain_text(run.proposed.critical)}"),
        Column("BREACHES", lambda run: len(run.proposed_breaches), is_number=True),
    )
    yield from Table("indicators", columns).lines(view.indicators)
    for run in view.indicators:
        if run.present == run.proposed:
            continue
        for breach in run.proposed_breaches:
            worst = value_text(breach.worst)
            yield f"  {run.name} {breach.status} from {minute(breach.start)} to {minute(breach.end)} UTC, worst {worst}"
    yield f"since {minute(view.since)} UTC; {pluralize(len(view.indicators), 'indicator')}"
