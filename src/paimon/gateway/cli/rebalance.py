"""`paimon rebalance`: what the planner would do now, and how a policy does over simulated years."""

import asyncio
import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from paimon.application.rebalance_engine.manual import execute_manual, preview_reversal
from paimon.application.rebalance_engine.measure import PlanPreview, preview_rebalance
from paimon.application.rebalance_engine.queries import RebalanceFilter, get_rebalance, list_rebalances
from paimon.application.transactions.plans.submit import PlanSignature
from paimon.composition import signing_rules
from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.chain import checksum
from paimon.domain.kernel.units import BPS_ONE, WAD, Bps, RawAmount
from paimon.domain.rebalance.decision import decide, result_text
from paimon.domain.rebalance.linear_model import SOLVER
from paimon.domain.rebalance.plan_policy import Band, PlanPolicy
from paimon.domain.rebalance.rebalance_plan import ExplainedTrade, Method, NoPlan, RebalancePlan, Side, TradeReason
from paimon.domain.rebalance.rebalance_record import RebalanceRecord
from paimon.domain.rebalance.simulated_run import WAYS, RunSummary, example_fund, simulate
from paimon.domain.rebalance.triggers import Trigger
from paimon.domain.simulation.fund_days import draw_days
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, print_json
from paimon.gateway.cli.keystore_signing import KeystoreOption, PasswordOption, load_signer
from paimon.gateway.cli.lists import LIMIT_DEFAULT, Column, Limit, Money, Page, Table, minute, run_list, short_address
from paimon.gateway.cli.process import exit_on_error, exit_with_message
from paimon.gateway.cli.resources import opened_app_context, opened_database
from paimon.gateway.cli.text import pluralize
from paimon.gateway.cli.tx_plans import preview_lines
from paimon.gateway.rest.envelope import Listing
from paimon.gateway.rest.views.rebalance import RebalanceView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession
from paimon.infrastructure.solver.quiet import without_output
from paimon.infrastructure.solver.solver import Solver
from paimon.settings import Settings, load_settings

app = CommandApp(help="Preview, list, replay and reverse decisions, and try a policy on simulated years.", no_args_is_help=True)

_WAYS_IN_WORDS = {
    Method.OPTIMISED: "planner",
    Method.GREEDY: "cheapest first",
    Method.PRO_RATA: "pro rata",
    Method.NOTHING: "no trades",
}


def _parse_targets(text: str) -> dict[Tier, Bps]:
    try:
        shares = [Decimal(part) for part in text.split(",")]
    except InvalidOperation:
        shares = []
    if len(shares) != len(Tier) or not all(share.is_finite() and 0 <= share <= 100 for share in shares):
        raise ValueError(f"{text!r} is not three percentages for L1, L2 and L3, such as 11,31,58")
    if any(share * 100 % 1 for share in shares):
        raise ValueError(f"{text!r} is finer than a basis point, 0.01 %")
    if sum(shares) != 100:
        raise ValueError(f"{text!r} adds up to {sum(shares)} %, not 100 %")
    targets = {tier: Bps(int(share * 100)) for tier, share in zip(Tier, shares, strict=True)}
    replace(PlanPolicy(), targets=targets)  # refuses targets outside of their bands
    return targets


Targets = Annotated[
    Any,
    typer.Option(
        "--targets",
        metavar="L1,L2,L3",
        parser=_parse_targets,
        help="Targets in percent; 11,31,58 by default.",
        show_default=False,
    ),
]


@app.command("preview")
def preview_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Show how far off target the fund is, which triggers fire, and the plan that would be made. Nothing is sent.

    Measured at the newest snapshot, at the prices of that block.
    """
    with exit_on_error():
        preview = asyncio.run(_read_preview(load_settings(context.obj)))
    if as_json:
        print_json(_preview_document(preview))
    else:
        print("\n".join(_preview_lines(preview)))


async def _read_preview(settings: Settings) -> PlanPreview:
    solver = Solver(settings.rebalance.solver_seconds_max)
    async with opened_database(settings, process="rebalance") as database:
        policy, scope = settings.rebalance.policy(), signing_rules(settings).scope
        return await preview_rebalance(database, solver, policy, settings.risk.policy(), scope)


def _preview_lines(preview: PlanPreview) -> Iterator[str]:
    inputs, plan, at = preview.measured.inputs, preview.plan, preview.measured.at
    money, fund = Money(inputs.asset_decimals), inputs.fund
    after = plan.after if isinstance(plan, RebalancePlan) else None
    columns: tuple[Column[Tier], ...] = (
        Column("TIER", lambda tier: tier),
        Column("NOW", lambda tier: _share(fund.tier_values[tier], fund.total), is_number=True),
        Column("TARGET", lambda tier: _share(inputs.policy.targets[tier], BPS_ONE), is_number=True),
        Column("AFTER", lambda tier: after and _share(after.tier_values[tier], after.total), is_number=True),
        Column("BAND", lambda tier: _band(inputs.policy.band(tier))),
    )
    reserved = money.text(fund.reserved)
    yield f"at block {at.number} of {minute(at.timestamp)} UTC, {reserved} reserved for redemptions"
    yield from Table("tiers", columns).lines(tuple(Tier))
    for verdict in preview.measured.triggers:
        if verdict.fires:
            yield f"{verdict.condition.trigger} trigger: {verdict.condition.name}, {verdict.reason}"
    if isinstance(plan, NoPlan):
        yield f"no plan: {plan.reason}"
        return
    trades: tuple[Column[ExplainedTrade], ...] = (
        Column("", lambda each: each.trade.side),
        Column("ASSET", lambda each: short_address(each.trade.token)),
        Column("TIER", lambda each: each.trade.tier),
        Column("AMOUNT", lambda each: money.text(each.trade.amount), is_number=True),
        Column("COST", lambda each: money.text(each.trade.cost), is_number=True),
        Column("CASH IN", lambda each: pluralize(each.trade.settles_in, "day") if each.trade.side is Side.SELL else "-"),
        Column("BECAUSE", lambda each: _REASONS[each.reason] + (", costs much" if each.slippage_warning else "")),
    )
    yield from Table("trades", trades).lines(plan.trades)
    yield f"costs {money.text(plan.cost)} and gas of {money.text(plan.gas)}; {plan.method}, {plan.solver}"
    if plan.high_water_mark is not None:
        fee, mark = money.text(plan.performance_fee), money.text(plan.high_water_mark)
        yield f"buying L3 accrues a performance fee of {fee}, unless setLayer3HighWaterMark({mark}) goes with it"
    for broken in plan.broken:
        yield f"BROKEN: {broken.group} of {broken.subject} by {money.text(broken.amount)}"
    if plan.conflict:
        yield f"no plan keeps these together: {', '.join(plan.conflict)}"


_REASONS: Final = {
    TradeReason.PAYOUT: "pays redemptions",
    TradeReason.CONCENTRATION: "above its cap",
    TradeReason.TIER_ABOVE_TARGET: "its tier is above target",
    TradeReason.TIER_BELOW_TARGET: "its tier is below target",
    TradeReason.WITHIN_TIER: "takes another's place",
    TradeReason.REVERSAL: "undoes an earlier trade",
}


def _preview_document(preview: PlanPreview) -> dict[str, Any]:
    """Return the preview by the field names of `POST /rebalance/preview`. Amounts are decimal text, saved may be below zero."""
    inputs, plan, at = preview.measured.inputs, preview.plan, preview.measured.at
    money, fund = Money(inputs.asset_decimals), inputs.fund
    return {
        "blockNumber": at.number,
        "preState": {str(tier): _share(fund.tier_values[tier], fund.total) for tier in Tier},
        "targetState": {str(tier): _share(target, BPS_ONE) for tier, target in inputs.policy.targets.items()},
        "reserved": money.text(fund.reserved),
        "triggers": [
            {"name": each.condition.name, "trigger": each.condition.trigger, "fires": each.fires, "reason": each.reason}
            for each in preview.measured.triggers
        ],
        **(_no_plan(plan) if isinstance(plan, NoPlan) else _plan_document(plan, money)),
    }


def _no_plan(plan: NoPlan) -> dict[str, Any]:
    return {"actions": [], "reason": plan.reason}


def _plan_document(plan: RebalancePlan, money: Money) -> dict[str, Any]:
    return {
        "actions": [
            {
                "type": each.trade.side,
                "asset": checksum(each.trade.token),
                "tier": each.trade.tier,
                "amount": money.text(each.trade.amount),
                "cost": money.text(each.trade.cost),
                "settlesInDays": each.trade.settles_in,
                "reason": each.reason,
                "saved": str(Decimal(each.saved).scaleb(-(money.decimals or 0))),
            }
            for each in plan.trades
        ],
        "postState": {str(tier): _share(plan.after.tier_values[tier], plan.after.total) for tier in Tier},
        "totalAmount": money.text(plan.amount),
        "estimatedCost": money.text(plan.cost),
        "estimatedGasCost": money.text(plan.gas),
        "method": plan.method,
        "solver": plan.solver,
        "performanceFee": money.text(plan.performance_fee),
        "highWaterMark": money.text(plan.high_water_mark),
        "broken": [{"limit": each.group, "subject": each.subject, "amount": money.text(each.amount)} for each in plan.broken],
        "conflict": list(plan.conflict),
    }


def _share(part: int, whole: int) -> str:
    return f"{Decimal(part * 100) / whole:.2f} %" if whole else "-"


def _band(band: Band) -> str:
    return f"{_share(band.minimum, BPS_ONE)} to {_share(band.maximum, BPS_ONE)}"


@app.command("history")
def history_command(
    context: typer.Context,
    trigger: Annotated[Trigger | None, typer.Option(help="Only decisions of this trigger.")] = None,
    page: Page = 1,
    limit: Limit = LIMIT_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List the decisions of the rebalance engine, the latest first."""

    async def read(session: ReadSession, page: PageRequest) -> Listing[RebalanceView]:
        found = await list_rebalances(session, page, RebalanceFilter(trigger=trigger))
        return Listing[RebalanceView].page(found.mapped(RebalanceView.of))

    run_list(context, read, _history_table, page=page, limit=limit, as_json=as_json, is_filtered=trigger is not None)


def _history_table(money: Money) -> Table[RebalanceView]:
    return Table(
        "rebalances",
        (
            Column("ID", lambda each: each.id),
            Column("CREATED AT", lambda each: minute(each.created_at)),
            Column("TRIGGER", lambda each: each.trigger),
            Column("STATUS", lambda each: each.status),
            Column("ACTIONS", lambda each: len(each.actions), is_number=True),
            Column("MOVES", lambda each: money.text(RawAmount(int(each.total_amount))), is_number=True),
            Column("REASON", lambda each: each.close_reason or each.reason),
        ),
    )


@app.command("replay")
def replay_command(
    context: typer.Context, rebalance_id: Annotated[UUID, typer.Argument(metavar="ID", help="Id of a decision.")]
) -> None:
    """Make a stored decision again from its stored inputs, and compare the result byte for byte.

    Exit code 1: it differs. Another version of the solver may choose another plan of the same cost.
    """
    with exit_on_error():
        record = asyncio.run(_read_record(load_settings(context.obj), rebalance_id))
    with without_output():
        again = result_text(decide(record.inputs))
    if again == record.result_text:
        print(f"the stored inputs give the same plan again, byte for byte: {len(again)} bytes")
        return
    stored = record.result.solver if isinstance(record.result, RebalancePlan) else "no plan"
    print(f"the stored inputs give another plan now, with {SOLVER}; the stored one: {stored}")
    print(f"stored: {record.result_text}\nnow:    {again}")
    raise typer.Exit(1)


async def _read_record(settings: Settings, rebalance_id: UUID) -> RebalanceRecord:
    async with opened_database(settings, process="rebalance") as database, database.read() as session:
        return await get_rebalance(session, rebalance_id)


@app.command("reverse")
def reverse_command(
    context: typer.Context,
    rebalance_id: Annotated[UUID, typer.Argument(metavar="ID", help="Id of a decision that was carried out.")],
    keystore: KeystoreOption,
    password_file: PasswordOption,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
) -> None:
    """Undo what a rebalance did: show the plan, sign exactly that, and submit it as any other plan."""
    with exit_on_error():
        record = asyncio.run(_reverse(load_settings(context.obj), rebalance_id, keystore, password_file, confirm=not yes))
    print(f"{record.id} {record.status}: plan {record.plan_id}")


async def _reverse(
    settings: Settings, rebalance_id: UUID, keystore: Path, password_file: Path, *, confirm: bool
) -> RebalanceRecord:
    async with opened_app_context(settings, process="rebalance") as app_context:
        signer = await load_signer(app_context, keystore, password_file)
        engine = app_context.rebalance_context(app_context.plan_context)
        preview = await preview_reversal(signer.user, rebalance_id, engine)
        plan = preview.plan
        if plan is None:
            exit_with_message(f"nothing can be undone: {preview.record.close_reason}")
        print("\n".join(preview_lines(plan)))
        if plan.document is None or plan.choice.wallet is None:
            exit_with_message("no wallet may send this plan")
        if confirm:
            typer.confirm("Sign and submit this plan?", abort=True)
        signed = await signer.sign(plan.document, plan.terms)
        signature = PlanSignature(signer.user, plan.choice.wallet, plan.choice.amount, signed)
        return await execute_manual(preview.record.id, signature, engine)


@app.command("simulate")
def simulate_command(
    days: Annotated[int, typer.Option("--days", min=1, max=3_650, help="How many days.")] = 730,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same days.")] = 1,
    targets: Targets = None,
    landing: Annotated[
        int, typer.Option("--landing-bps", min=0, max=500, help="A tier this near its target is on target.")
    ] = 25,
    trigger: Annotated[
        int, typer.Option("--trigger-bps", min=1, max=5_000, help="A plan is made beyond this deviation.")
    ] = 200,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write each day of each way to this file.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the planner with simpler ways of planning, on the same simulated days of an example fund.

    No chain and no database is asked. The fund has 50 million USDT in twelve assets.
    """
    if csv_file is not None and csv_file.exists():
        exit_with_message(f"{csv_file} exists, and nothing is overwritten: give another name")
    default = PlanPolicy()
    with without_output():
        runs = _run_all(replace(default, landing=Bps(landing), targets=targets or default.targets), days, seed, Bps(trigger))
    if csv_file is not None:
        try:
            _write_days(csv_file, runs)
        except OSError as error:
            exit_with_message(f"cannot write {csv_file}: {error.strerror}")
    if as_json:
        print_json({"days": days, "seed": seed, "ways": [_as_json(run) for run in runs]})
        return
    print(f"{days} days, seed {seed}, an example fund of 50 million USDT")
    print("\n".join(_TABLE.lines(runs)))


def _run_all(policy: PlanPolicy, days: int, seed: int, trigger: Bps) -> list[RunSummary]:
    fund = example_fund()
    drawn = draw_days(days, tuple(asset.tier.on_chain for asset in fund.assets), seed=seed)
    return [simulate(fund, drawn, policy, method, trigger=trigger) for method in WAYS]


_TABLE: Table[RunSummary] = Table(
    "ways",
    (
        Column("way", lambda run: _WAYS_IN_WORDS[run.method]),
        Column("cost USDT", lambda run: _whole(run.cost), is_number=True),
        Column("plans", lambda run: run.plans, is_number=True),
        Column("trades", lambda run: run.trades, is_number=True),
        Column("mean deviation", lambda run: f"{run.mean_deviation_bps / 100:.2f} %", is_number=True),
        Column("unfunded days", lambda run: run.unfunded_days, is_number=True),
        Column("fund at the end", lambda run: _whole(run.final_total), is_number=True),
    ),
)


def _as_json(run: RunSummary) -> dict[str, Any]:
    return {
        "way": run.method,
        "cost": str(Decimal(run.cost) / WAD),
        "plans": run.plans,
        "trades": run.trades,
        "meanDeviationBps": round(run.mean_deviation_bps, 2),
        "unfundedDays": run.unfunded_days,
        "finalTotal": str(Decimal(run.final_total) / WAD),
    }


def _write_days(path: Path, runs: Sequence[RunSummary]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["way", "day", "total", *(f"{tier}_share" for tier in Tier), "deviation_bps", "cost", "trades", "unpaid"]
        )
        for run in runs:
            for day in run.days:
                shares = [f"{Decimal(day.tier_values[tier]) / max(day.total, 1):.6f}" for tier in Tier]
                writer.writerow(
                    [
                        run.method,
                        day.number,
                        Decimal(day.total) / WAD,
                        *shares,
                        day.deviation,
                        Decimal(day.cost) / WAD,
                        day.trades,
                        Decimal(day.unpaid) / WAD,
                    ]
                )


def _whole(amount: int) -> str:
    return f"{amount // WAD:,}".replace(",", " ")
