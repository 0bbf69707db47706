"""`paimon market …`: life on the demo's chain, as it goes or months at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

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

app = typer.Typer(help="A simulated market on the demo's chain: investors, prices, a portfolio manager.", no_args_is_help=True)

DEFAULT_DATA: Final = Path(".paimon")
DEFAULT_SEED: Final = 7
_DAYS: Final = 90

Data = Annotated[Path, typer.Option("--data", help="The running demo's data folder.", envvar="PAIMON_DEMO_DATA")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed on the same chain does the same.")]
LeftToApp = Annotated[int, typer.Option(min=0, max=100, help="Percent of due settlements and approvals left to the house.")]
Actions = Annotated[int | None, typer.Option(min=1, help="Stop after so many actions.")]
Days = Annotated[int | None, typer.Option(min=1, help="Stop after so many days of the fund.")]


@app.command()
def run(
    data: Data = DEFAULT_DATA,
    seed: Seed = DEFAULT_SEED,
    actions: Actions = None,
    days: Days = None,
    every: Annotated[float, typer.Option(min=0, help="Seconds between two actions.")] = 3.0,
    speed: Annotated[int, typer.Option(min=1, help="How fast the fund's time passes: 1 as ours, 3600 an hour a second.")] = 1,
    left_to_app: LeftToApp = 50,
) -> None:
    """Act on the running demo, an action every few seconds, until Ctrl-C."""
    with exit_on_error(), _open_executor(data.resolve()) as executor:
        market = LiveMarket(executor, seed=seed, config=_config(left_to_app))
        print(f"The market is open (seed {seed}); Ctrl-C closes it.", flush=True)
        try:
            market.run(every_seconds=every, speed=speed, on_outcome=_print_outcome, actions=actions, days=days)
        except KeyboardInterrupt:
            print("\nclosed", flush=True)
        print(market.summary.table())


@app.command()
def history(
    data: Data = DEFAULT_DATA,
    seed: Seed = DEFAULT_SEED,
    days: Days = None,
    actions: Actions = None,
    left_to_app: LeftToApp = 0,
) -> None:
    """Lay months down on the running demo's chain at once; the house then catches up. 90 days unless told otherwise."""
    with exit_on_error(), _open_executor(data.resolve()) as executor:
        generator = History(executor, seed=seed, config=_config(left_to_app), exclusive=False)
        try:
            with _progress_bar() as bar:
                task = bar.add_task("laying history", total=1.0)
                days = days if days or actions else _DAYS
                generator.generate(actions=actions, days=days, progress=lambda done: bar.update(task, completed=done))
        except KeyboardInterrupt:
            print("\nstopped; what is laid stays", flush=True)
        print(generator.summary.table())


def _config(left_to_app: int) -> MarketConfig:
    left_bps = left_to_app * 100
    return MarketConfig(approvals_left_bps=left_bps, settlements_left_bps=left_bps)


@contextmanager
def _open_executor(data: Path) -> Iterator[ActionExecutor]:
    """On the demo that runs in another terminal, as its data folder describes it. Raises MarketError."""
    if not (data / "demo.env").exists():
        raise MarketError(f"no demo has run in {data}: start it with `make demo` (or name its folder with --data)")
    if not (data / "fund.json").exists():
        raise MarketError("this demo runs on a fund of yours: the simulated market acts on the test fund only")
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
    """Amounts of 18 decimals in whole units, lists by their length: a line is for a glance."""
    if isinstance(value, int) and value >= 10**15:
        return f"{value / 10**18:,.2f}"
    return f"of {len(value)}" if isinstance(value, tuple) else str(value)


def _progress_bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
