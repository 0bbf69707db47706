"""`paimon market …`: life on the demo's chain, as it goes or months at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from paimon.gateway.cli.process import explained
from paimon.settings import load_settings
from paimon_devkit.market.config import MarketConfig
from paimon_devkit.market.exchange import Venue
from paimon_devkit.market.executor import Stage
from paimon_devkit.market.history import History
from paimon_devkit.market.live import LiveMarket
from paimon_devkit.market.node import MarketError, Node
from paimon_devkit.market.summary import Outcome
from paimon_devkit.stack.accounts import People
from paimon_devkit.stack.fund_deployment import CONTRACTS, FundAddresses

app = typer.Typer(help="A simulated market on the demo's chain: investors, prices, a portfolio manager.", no_args_is_help=True)

DEFAULT_DATA: Final = Path(".paimon")
DEFAULT_SEED: Final = 7
_DAYS: Final = 90

Data = Annotated[Path, typer.Option("--data", help="The running demo's data folder.", envvar="PAIMON_DEMO_DATA")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed on the same chain does the same.")]
Left = Annotated[int, typer.Option(min=0, max=100, help="Percent of due settlements and approvals left to the house.")]
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
    left_to_house: Left = 50,
) -> None:
    """Act on the running demo, an action every few seconds, until Ctrl-C."""
    with explained(), _stage(data.resolve()) as stage:
        market = LiveMarket(stage, seed=seed, config=_config(left_to_house))
        print(f"The market is open (seed {seed}); Ctrl-C closes it.", flush=True)
        try:
            market.run(every_seconds=every, speed=speed, tell=_tell, actions=actions, days=days)
        except KeyboardInterrupt:
            print("\nclosed", flush=True)
        print(market.summary.table())


@app.command()
def history(
    data: Data = DEFAULT_DATA,
    seed: Seed = DEFAULT_SEED,
    days: Days = None,
    actions: Actions = None,
    left_to_house: Left = 0,
) -> None:
    """Lay months down on the running demo's chain at once; the house then catches up. 90 days unless told otherwise."""
    with explained(), _stage(data.resolve()) as stage:
        laid = History(stage, seed=seed, config=_config(left_to_house), alone=False)
        try:
            with _progress() as bar:
                task = bar.add_task("laying history", total=1.0)
                days = days if days or actions else _DAYS
                laid.lay(actions=actions, days=days, progress=lambda done: bar.update(task, completed=done))
        except KeyboardInterrupt:
            print("\nstopped; what is laid stays", flush=True)
        print(laid.summary.table())


def _config(left_to_house: int) -> MarketConfig:
    left_bps = left_to_house * 100
    return MarketConfig(approvals_left_bps=left_bps, settlements_left_bps=left_bps)


@contextmanager
def _stage(data: Path) -> Iterator[Stage]:
    """On the demo that runs in another terminal, as its data folder describes it. Raises MarketError."""
    if not (data / "demo.env").exists():
        raise MarketError(f"no demo has run in {data}: start it with `make demo` (or name its folder with --data)")
    if not (data / "fund.json").exists():
        raise MarketError("this demo runs on a fund of yours: the simulated market acts on the test fund only")
    settings = load_settings(data / "demo.env")
    fund = FundAddresses.from_json((data / "fund.json").read_text())
    people = People.load_or_create(data / "people").fund_people()
    with Node(settings.chain.rpc_url.get_secret_value()) as node:
        node.call("eth_chainId")
        yield Stage(node, Venue.of(fund, people, CONTRACTS / "artifacts"))


def _tell(outcome: Outcome) -> None:
    fields = ", ".join(f"{name} {_short(getattr(outcome.action, name))}" for name in type(outcome.action).__dataclass_fields__)
    print(f"  {outcome.action.kind:<22} {fields}{f'   reverted: {outcome.reason}' if outcome.reason else ''}", flush=True)


def _short(value: object) -> str:
    """Amounts of 18 decimals in whole units, lists by their length: a line is for a glance."""
    if isinstance(value, int) and value >= 10**15:
        return f"{value / 10**18:,.2f}"
    return f"of {len(value)}" if isinstance(value, tuple) else str(value)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
