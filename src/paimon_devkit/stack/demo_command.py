"""`paimon demo …`: run the whole system on one machine, and act on it with the demo's accounts."""

import asyncio
import signal
import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from paimon.gateway.cli.command_app import CommandApp
from paimon.gateway.cli.json_output import AsJson, print_json
from paimon.gateway.cli.process import exit_on_error
from paimon_devkit.stack.accounts import APPROVERS, INVESTORS, USER_ROLES
from paimon_devkit.stack.api_client import DemoApiClient
from paimon_devkit.stack.child import READY_SECONDS_MAX
from paimon_devkit.stack.errors import DemoError
from paimon_devkit.stack.keystore import write_keystore
from paimon_devkit.stack.running_demo import RunningDemo

app = CommandApp(
    help="Run the whole system on this machine, and act on it with the demo's accounts.", invoke_without_command=True
)

DataFolder = Annotated[Path, typer.Option("--data", help="The demo's data folder.", envvar="PAIMON_DEMO_DATA")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Delete the data of an earlier demo and start over.")]
ApiPort = Annotated[
    int | None,
    typer.Option(help="The API's port; by default 8000, or a free one.", min=1, max=65_535, envvar="PAIMON_API__PORT"),
]
ReadySeconds = Annotated[
    float,
    typer.Option(
        help="Seconds each part may take to become ready; a slow machine needs more.",
        min=1,
        envvar="PAIMON_DEMO_READY_SECONDS",
    ),
]
AsAccount = Annotated[str, typer.Option("--as", help="The account that signs in.")]
RequestId = Annotated[int, typer.Argument(min=0, help="The request's id, as `request` prints it.", metavar="ID")]

_DAYS_MAX: Final = 3_650
"""The most days of one move of chain time: dates end with the year 9999, and chain time cannot be moved back."""
_RECORDED_SECONDS_MAX: Final = 30.0


@app.callback()
def demo(
    context: typer.Context,
    data: DataFolder = Path(".paimon"),
    fresh: Fresh = False,
    port: ApiPort = None,
    ready_seconds: ReadySeconds = READY_SECONDS_MAX,
) -> None:
    """Run the whole system with embedded services until Ctrl-C, or, with a command, act on the running demo."""
    context.obj = data.resolve()
    if context.invoked_subcommand is not None:
        return
    # A shell starts its background jobs with SIGINT ignored. The demo stops on it, while it still imports too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with exit_on_error():
        # Imported here, because it imports the whole application, for which the other commands need not wait.
        from paimon_devkit.stack.demo_run import run_demo

        run_demo(data.resolve(), fresh=fresh, port=port, ready_seconds_max=ready_seconds)


@app.command()
def accounts(context: typer.Context, as_json: AsJson = False) -> None:
    """List the demo's accounts with address and role."""
    with exit_on_error():
        by_name = RunningDemo(context.obj).accounts.by_name
    roles = {name: USER_ROLES.get(name) or ("investor" if name in INVESTORS else "signer key") for name in by_name}
    if as_json:
        shown = [{"name": name, "address": account.address, "role": roles[name]} for name, account in by_name.items()]
        print_json({"items": shown})
        return
    for name, account in by_name.items():
        print(f"{name:<9} {account.address}  {roles[name]}")


def _parse_investor(text: str) -> str:
    if text not in INVESTORS:
        raise ValueError(f"{text!r} is not an investor; there are {', '.join(INVESTORS)}")
    return text


@app.command()
def request(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help=f"The investor, one of {', '.join(INVESTORS)}.", parser=_parse_investor)],
    shares: Annotated[int, typer.Argument(min=1, help="How many whole shares.")],
    emergency: Annotated[bool, typer.Option("--emergency", help="Use the emergency channel.")] = False,
) -> None:
    """Request a redemption on chain as an investor, and wait until the listener has recorded it."""
    with exit_on_error():
        running = RunningDemo(context.obj)
        request_id, tx = running.chain.request(name, shares, emergency=emergency)
        print(f"request {request_id}  tx {tx}", flush=True)
        redemption = asyncio.run(_wait_recorded(running, request_id))
        if redemption is None:
            raise DemoError(f"the request is not recorded after {_RECORDED_SECONDS_MAX:.0f} s: see {running.logs}")
        ticket = f", ticket {redemption['ticket']['id']}" if redemption["ticket"] else ""
        print(f"recorded: {redemption['channel']}, {redemption['status']}{ticket}")


async def _wait_recorded(running: RunningDemo, request_id: int) -> dict[str, Any] | None:
    """Return the request as the API shows it, with its ticket if it needs one; None when that takes too long."""
    deadline = time.monotonic() + _RECORDED_SECONDS_MAX
    async with running.api("willa") as api:
        while time.monotonic() < deadline:
            redemption = await api.find(f"/redemptions/{request_id}")
            if redemption is not None and (redemption["status"] != "PENDING_APPROVAL" or redemption["ticket"] is not None):
                return dict(redemption)
            await asyncio.sleep(0.2)
    return None


@app.command()
def approve(
    context: typer.Context,
    request_id: RequestId,
    name: AsAccount = APPROVERS[0],
    reason: Annotated[str, typer.Option(help="The reason, kept with the decision.")] = "",
) -> None:
    """Approve a request's ticket: sign the decision as an approver."""
    _decide(context.obj, request_id, name, "approve", reason)


@app.command()
def reject(
    context: typer.Context,
    request_id: RequestId,
    reason: Annotated[str, typer.Argument(help="The reason; it is written on chain.")],
    name: AsAccount = APPROVERS[0],
) -> None:
    """Reject a request's ticket: sign the decision and its reason as an approver."""
    _decide(context.obj, request_id, name, "reject", reason)


def _decide(data: Path, request_id: int, name: str, verdict: str, reason: str) -> None:
    async def decide(api: DemoApiClient) -> Any:
        async with api:
            ticket = (await api.get(f"/redemptions/{request_id}"))["ticket"]
            if ticket is None:
                raise DemoError(f"request {request_id} has no approval ticket: it needs no approval")
            return await api.decide(ticket["id"], verdict, reason)

    with exit_on_error():
        ticket = asyncio.run(decide(RunningDemo(data).api(name)))
        print(f"ticket {ticket['id']} is {ticket['status']}; the request changes once the transaction is on chain")


@app.command()
def settle(
    context: typer.Context,
    request_id: RequestId,
    name: AsAccount = "otto",
    reason: Annotated[str, typer.Option(help="The reason, kept with the signature.")] = "settle now",
) -> None:
    """Settle a due request now: sign the action as an operator."""

    async def request_settlement(api: DemoApiClient) -> Any:
        async with api:
            return await api.sign_action("settle_redemption", f"/redemptions/{request_id}", reason)

    with exit_on_error():
        print(f"settlement is {asyncio.run(request_settlement(RunningDemo(context.obj).api(name)))['status']}")


@app.command()
def emergency(
    context: typer.Context, mode: Annotated[Literal["on", "off"], typer.Argument(help="Switch it on or off.")]
) -> None:
    """Switch emergency mode on chain, as the fund's admin."""
    with exit_on_error():
        print(f"tx {RunningDemo(context.obj).chain.set_emergency_mode(mode == 'on')}")


def _parse_duration(text: str) -> int:
    """Return the seconds of a duration such as `8d`. Raises ValueError."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    amount = text[:-1]
    if text[-1:] not in units or not (amount.isascii() and amount.isdigit()) or len(amount) > 9 or int(amount) == 0:
        raise ValueError(f"{text!r} is not a duration such as 90s, 30m, 6h or 8d")
    seconds = int(amount) * units[text[-1]]
    if seconds > _DAYS_MAX * units["d"]:
        raise ValueError(f"{text} is too far: chain time moves by at most {_DAYS_MAX}d at once")
    return seconds


@app.command()
def warp(
    context: typer.Context,
    duration: Annotated[int, typer.Argument(help="How far: 90s, 30m, 6h, 8d.", metavar="DURATION", parser=_parse_duration)],
) -> None:
    """Move chain time forward."""
    with exit_on_error():
        now = RunningDemo(context.obj).chain.warp(duration)
        print(f"chain time is now {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(now))} UTC")


@app.command()
def token(context: typer.Context, name: Annotated[str, typer.Argument(help="The account that signs in.")] = "vera") -> None:
    """Sign in and print an access token for the API, valid for 15 minutes."""

    async def sign_in(api: DemoApiClient) -> str:
        async with api:
            return await api.sign_in()

    with exit_on_error():
        print(asyncio.run(sign_in(RunningDemo(context.obj).api(name))))


@app.command()
def keystore(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The account, as `paimon demo accounts` lists it.")],
    file: Annotated[Path, typer.Argument(help="The keystore to write. Its password goes to FILE.password.")],
) -> None:
    """Write an account's key as an encrypted keystore, to sign with it at the terminal. For the demo only."""
    with exit_on_error():
        password_file = write_keystore(context.obj, name, file)
        print(f"{name}'s key, for this demo only: --keystore {file} --password-file {password_file}")


@app.command()
def show(context: typer.Context, request_id: RequestId, name: AsAccount = "willa") -> None:
    """Show a request's status and its timeline."""

    async def read(api: DemoApiClient) -> Any:
        async with api:
            return await api.get(f"/redemptions/{request_id}")

    with exit_on_error():
        redemption = asyncio.run(read(RunningDemo(context.obj).api(name)))
        owner = f"owner {redemption['owner']}"
        print(f"request {redemption['requestId']}  {redemption['channel']}  {redemption['status']}  {owner}")
        shares, gross = _format_amount(redemption["shares"]), _format_amount(redemption["grossAmount"])
        print(f"  {shares} shares for {gross} USDT, {_settlement_text(redemption)}")
        for entry in redemption["timeline"]:
            at = entry["at"][: len("2026-01-31T12:00:00")].replace("T", " ")
            print(f"  {at}  {entry['source']:<6} {entry['title']:<46} {entry['details'].get('txHash', '')}".rstrip())


def _format_amount(raw: str) -> str:
    """Return a raw amount of 18 decimals, as the demo's tokens have, in whole units with two decimals."""
    return f"{Decimal(raw).scaleb(-18):,.2f}"


def _settlement_text(redemption: dict[str, Any]) -> str:
    if redemption["settledNetAmount"] is not None:
        paid, fee = _format_amount(redemption["settledNetAmount"]), _format_amount(redemption["settledFee"])
        return f"paid {paid} after a fee of {fee}"
    if redemption["settlementAt"]:
        return f"settles from {redemption['settlementAt']} on, by chain time"
    return "no settlement date yet"
