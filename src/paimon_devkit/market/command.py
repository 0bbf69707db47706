"""`paimon market …`: run the simulated market on the demo's chain, live or months at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.process import exit_on_error
from paimon.settings import load_settings
from paimon_devkit.market.config import MarketConfig
from paimon_devkit.market.exchange import Exchange
from paimon_devkit.market.executor import ActionExecutor
from paimon_devkit.market.history import History
from paimon_devkit.market.live import LiveMarket
from paimon_devkit.market.node import MarketError, Node
from paimon_devkit.market.summary import Outcome
from paimon_devkit.stack.accounts import DemoAccounts
from paimon_devkit.stack.fund_deployment import CONTRACTS, FundDeployment

app = CommandApp(
    help="Run a simulated market on the demo's chain: investors, prices, a portfolio manager, an admin.", no_args_is_help=True
)

DEFAULT_DATA: Final = Path(".paimon")
DEFAULT_SEED: Final = 7
_DAYS: Final = 90

Data = Annotated[Path, typer.Option("--data", help="The data folder of the running demo.", envvar="PAIMON_DEMO_DATA")]
Seed = Annotated[int, typer.Option(min=0, help="The seed: the same one on the same chain state repeats the actions.")]
LeftToApp = Annotated[
    int, typer.Option(min=0, max=100, help="Percent of due settlements and approvals to leave to the application.")
]
Actions = Annotated[int | None, typer.Option(min=1, help="Stop after this many actions.")]
Days = Annotated[int | None, typer.Option(min=1, help="Stop after this many days of the fund.")]


@app.command()
def run(
    data: Data = DEFAULT_DATA,
    seed: Seed = DEFAULT_SEED,
    actions: Actions = None,
    days: Days = None,
    every: Annotated[float, typer.Option(min=0, help="Seconds between two actions.")] = 3.0,
    speed: Annotated[int, typer.Option(min=1, help="Pace of chain time: 1 is real time, 3600 an hour a second.")] = 1,
    left_to_app: LeftToApp = 50,
) -> None:
    """Act on the running demo every few seconds, until Ctrl-C."""
    with exit_on_error(), _open_executor(data.resolve()) as executor:
        market = LiveMarket(executor, seed=seed, config=_config(left_to_app))
        print(f"The market runs (seed {seed}); Ctrl-C stops it.", flush=True)
        try:
            market.run(every_seconds=every, speed=speed, on_outcome=_print_outcome, actions=actions, days=days)
        except KeyboardInterrupt:
            print("\nstopped", flush=True)
        print(market.summary.table())


@app.command()
def history(
    data: Data = DEFAULT_DATA,
    seed: Seed = DEFAULT_SEED,
    days: Days = None,
    actions: Actions = None,
    left_to_app: LeftToApp = 0,
) -> None:
    """Generate months of history on the running demo's chain, 90 days by default. The listener then catches up."""
    with exit_on_error(), _open_executor(data.resolve()) as executor:
        generated = History(executor, seed=seed, config=_config(left_to_app), exclusive=False)
        try:
            with _progress_bar() as bar:
                task = bar.add_task("generating history", total=1.0)
                days = days if days or actions else _DAYS
                generated.generate(actions=actions, days=days, progress=lambda done: bar.update(task, completed=done))
        except KeyboardInterrupt:
            print("\nstopped; the blocks so far stay", flush=True)
        print(generated.summary.table())


def _config(left_to_app: int) -> MarketConfig:
    left_bps = left_to_app * 100
    return MarketConfig(approvals_left_bps=left_bps, settlements_left_bps=left_bps)


@contextmanager
def _open_executor(data: Path) -> Iterator[ActionExecutor]:
    """Open the chain of the demo that runs over this data folder. Raises MarketError."""
    if not (data / "demo.env").exists():
        raise MarketError(f"no demo has run in {data}: start it with `make demo` (or name its folder with --data)")
    if not (data / "fund.json").exists():
        raise MarketError("this demo runs on your own fund: the simulated market acts on the test fund only")
    settings = load_settings(data / "demo.env")
    fund = FundDeployment.from_json((data / "fund.json").read_text())
    fund_accounts = DemoAccounts.load_or_create(data / "accounts").fund_accounts()
    with Node(settings.chain.rpc_url.get_secret_value()) as node:
        node.call("eth_chainId")
        yield ActionExecutor(node, Exchange.of(fund, fund_accounts, CONTRACTS / "artifacts"))


def _print_outcome(outcome: Outcome) -> None:
    fields = ", ".join(f"{name} {_short(getattr(outcome.action, name))}" for name in type(outcome.action).__dataclass_fields__)
    print(f"  {outcome.action.kind:<22} {fields}{f'   reverted: {outcome.reason}' if outcome.reason else ''}", flush=True)


def _short(value: object) -> str:
    """Return amounts of 18 decimals in whole units, and lists by their length, so that an action fits on a line."""
    if isinstance(value, int) and value >= 10**15:
        return f"{value / 10**18:,.2f}"
    return f"of {len(value)}" if isinstance(value, tuple) else str(value)


def _progress_bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
