"""`paimon rebalance`: try a rebalancing policy on simulated years."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from paimon.domain.asset.tier import Tier
from paimon.domain.kernel.units import WAD, Bps
from paimon.domain.rebalance.plan_policy import PlanPolicy
from paimon.domain.rebalance.rebalance_plan import Method
from paimon.domain.rebalance.simulated_run import WAYS, RunSummary, example_fund, simulate
from paimon.domain.simulation.fund_days import draw_days
from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, print_json
from paimon.gateway.cli.lists import Column, Table
from paimon.gateway.cli.process import exit_with_message

app = CommandApp(help="Try a rebalancing policy on simulated years.", no_args_is_help=True)

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


@app.callback()
def _group() -> None:
    """Keep `simulate` a subcommand while it is the only one."""


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
