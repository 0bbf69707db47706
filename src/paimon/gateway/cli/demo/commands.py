"""`paimon demo …` and `paimon walk`: the whole house on one machine, and the people who use it."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from paimon.gateway.cli.demo.client import ApiClient
from paimon.gateway.cli.demo.errors import DemoError
from paimon.gateway.cli.demo.fund import FundAddresses
from paimon.gateway.cli.demo.people import APPROVERS, BACK_OFFICE, INVESTORS, People
from paimon.gateway.cli.demo.stack import CONTRACTS, Stack
from paimon.gateway.cli.demo.story import OnChain
from paimon.gateway.cli.demo.supervisor import Event, EventKind, Supervisor
from paimon.gateway.cli.process import explained
from paimon.settings import load_settings

app = typer.Typer(help="Everything on this machine: run it, and act as its people.", invoke_without_command=True)

DataFolder = Annotated[Path, typer.Option("--data", help="Where the demo keeps its data.", envvar="PAIMON_DEMO_DATA")]
DEFAULT_DATA: Final = Path(".paimon")
ApiPort = Annotated[int | None, typer.Option(help="Port of the API; 8000 or a free one when not given.")]


@app.callback()
def demo(
    context: typer.Context,
    data: DataFolder = DEFAULT_DATA,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget an earlier demo and start over.")] = False,
    port: ApiPort = None,
) -> None:
    """Run the whole house with embedded parts until Ctrl-C; its data is kept and resumed by the next run."""
    context.obj = data.resolve()
    if context.invoked_subcommand is not None:
        return
    with explained():
        _run_demo(data.resolve(), fresh=fresh, port=port)


def _run_demo(data: Path, *, fresh: bool, port: int | None) -> None:
    began = time.monotonic()
    stack = Stack(data, say=lambda line: print(f"  {line}", flush=True), api_port=port)
    print(f"Paimon Prime Fund, everything on this machine. Data in {data}", flush=True)
    try:
        with Supervisor(data, on_event=tell_deaths) as supervisor:
            if fresh:
                stack.wipe()
            stack.bring_up(supervisor)
            _welcome(stack, time.monotonic() - began)
            supervisor.wait()
    except KeyboardInterrupt:
        print("\nstopped; the next `make demo` goes on from here", flush=True)


def tell_deaths(event: Event) -> None:
    if event.kind in (EventKind.DIED, EventKind.GAVE_UP):
        print(f"  ! {event}", flush=True)


def _welcome(stack: Stack, seconds: float) -> None:
    print(f"\nReady after {seconds:.0f} s\n")
    print(f"  API                {stack.api_url}/api/v1")
    print(f"  API documentation  {stack.api_url}/api/docs")
    print(f"  health             {stack.api_url}/api/v1/system/health")
    print(f"  node (JSON-RPC)    {stack.chain_rpc.url}")
    print("\n  Sign-in accounts (wallets of this demo only)")
    for name, role in BACK_OFFICE.items():
        voter = ", approves redemptions" if name in APPROVERS else ""
        print(f"    {name:<8} {stack.people.address(name)}  {role}{voter}")
    print(f"  Investors: {', '.join(INVESTORS)}")
    print("\n  Follow one redemption (in a second terminal):")
    print("    .venv/bin/paimon demo request ines 120000     asks on chain; the answer names the request's id")
    print("    .venv/bin/paimon demo approve 1 --as vera     signs the decision; the house sends it")
    print("    .venv/bin/paimon demo warp 8d                 moves chain time; the house settles what is due")
    print("    .venv/bin/paimon demo show 1                  its timeline")
    print("\n  Ctrl-C stops everything.", flush=True)


class _Running:
    """A demo that runs in another terminal, as its data folder describes it."""

    def __init__(self, data: Path) -> None:
        env_file = data / "demo.env"
        if not env_file.exists():
            raise DemoError(f"no demo has run in {data}: start it with `make demo` (or name its folder with --data)")
        self.settings = load_settings(env_file)
        self.people = People.load_or_create(data / "people")
        self.api_url = f"http://127.0.0.1:{self.settings.api.port}"
        if not (data / "fund.json").exists():
            raise DemoError("this demo runs on a fund of yours: act on it with your own wallets")
        self.chain = OnChain(
            self.settings.chain.rpc_url.get_secret_value(),
            CONTRACTS / "artifacts",
            FundAddresses.from_json((data / "fund.json").read_text()),
            self.people,
        )

    def api(self, name: str) -> ApiClient:
        return ApiClient(self.api_url, self.people.account(name))


As = Annotated[str, typer.Option("--as", help="Who signs.")]


@app.command()
def people(context: typer.Context) -> None:
    """Everyone in the demo, with address and role."""
    with explained():
        running = _Running(context.obj)
        for name, account in running.people.accounts.items():
            role = BACK_OFFICE.get(name) or ("investor" if name in INVESTORS else "key of the house")
            print(f"{name:<9} {account.address}  {role}")


@app.command()
def request(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(INVESTORS)}.")],
    shares: Annotated[int, typer.Argument(min=1, help="Whole shares.")],
    emergency: Annotated[bool, typer.Option("--emergency", help="Through the emergency channel.")] = False,
) -> None:
    """An investor asks on chain for a redemption."""
    with explained():
        request_id, tx = _Running(context.obj).chain.request(name, shares, emergency=emergency)
        print(f"request {request_id}  tx {tx}")


@app.command()
def approve(context: typer.Context, request_id: int, name: As = APPROVERS[0], reason: str = "") -> None:
    """An approver signs an approval of a request's ticket."""
    _decide(context.obj, request_id, name, "approve", reason)


@app.command()
def reject(context: typer.Context, request_id: int, reason: str, name: As = APPROVERS[0]) -> None:
    """An approver signs a rejection, with its reason."""
    _decide(context.obj, request_id, name, "reject", reason)


def _decide(data: Path, request_id: int, name: str, verdict: str, reason: str) -> None:
    async def decide() -> Any:
        async with _Running(data).api(name) as api:
            ticket = (await api.get(f"/redemptions/{request_id}"))["ticket"]
            if ticket is None:
                raise DemoError(f"request {request_id} has no approval ticket: it needs nobody's approval")
            return await api.decide(ticket["id"], verdict, reason)

    with explained():
        ticket = asyncio.run(decide())
        print(f"{ticket['id']} is {ticket['status']}; the chain will say when it counts")


@app.command()
def settle(context: typer.Context, request_id: int, name: As = "otto") -> None:
    """An operator asks for the settlement of a due request at once."""

    async def ask() -> Any:
        async with _Running(context.obj).api(name) as api:
            return await api.post(f"/redemptions/{request_id}/settle", {})

    with explained():
        print(f"settlement is {asyncio.run(ask())['status']}")


@app.command()
def emergency(context: typer.Context, mode: Annotated[str, typer.Argument(help="on or off")]) -> None:
    """The fund's admin switches emergency mode."""
    with explained():
        if mode not in ("on", "off"):
            raise DemoError(f"emergency mode is switched on or off, not {mode!r}")
        print(f"tx {_Running(context.obj).chain.set_emergency_mode(mode == 'on')}")


@app.command()
def warp(
    context: typer.Context,
    duration: Annotated[str, typer.Argument(help="How far: 90s, 30m, 6h, 8d.")],
) -> None:
    """Move chain time forward."""
    with explained():
        now = _Running(context.obj).chain.warp(_seconds(duration))
        print(f"chain time is now {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(now))} UTC")


def _seconds(duration: str) -> int:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    if duration[-1:] not in units or not duration[:-1].isdigit() or int(duration[:-1]) == 0:
        raise DemoError(f"not a duration: {duration!r}; write 90s, 30m, 6h or 8d")
    return int(duration[:-1]) * units[duration[-1]]


@app.command()
def show(context: typer.Context, request_id: int, name: As = "willa") -> None:
    """A request's present state and its timeline."""

    async def read() -> Any:
        async with _Running(context.obj).api(name) as api:
            return await api.get(f"/redemptions/{request_id}")

    with explained():
        seen = asyncio.run(read())
        print(f"request {seen['requestId']}  {seen['channel']}  {seen['status']}  owner {seen['owner']}")
        for entry in seen["timeline"]:
            print(f"  {entry['at']}  {entry['source']:<6} {entry['title']:<46} {entry['details'].get('txHash', '')}")
