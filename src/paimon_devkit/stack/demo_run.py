"""Run the demo: start everything with its progress on screen, wait for Ctrl-C, and stop everything."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from paimon_devkit.stack.accounts import APPROVERS, INVESTORS, USER_ROLES
from paimon_devkit.stack.child_events import ChildEvent, ChildEventKind
from paimon_devkit.stack.data_folder_checks import prepare_data_folder
from paimon_devkit.stack.demo_stack import DemoStack
from paimon_devkit.stack.supervisor import Supervisor

DEFAULT_DATA: Final = Path(".paimon")


def run_demo(data: Path, *, fresh: bool, port: int | None, ready_seconds_max: float) -> None:
    """Run the demo until Ctrl-C. Raises DemoError."""
    stack = DemoStack(data, print_line=timed_printer(), api_port=port, ready_seconds_max=ready_seconds_max)
    print(f"Paimon Prime Fund, everything on this machine. Data in {data}\n", flush=True)
    prepare_data_folder(data)
    began = time.monotonic()
    try:
        with Supervisor(data, on_event=EventPrinter()) as supervisor:
            try:
                if fresh:
                    stack.delete_data()
                stack.start(supervisor)
                _print_summary(stack, time.monotonic() - began)
                supervisor.wait()
            except (KeyboardInterrupt, SystemExit):
                with suppress(OSError):  # the terminal may be gone, which is then why the demo stops
                    print("\nStopping …", flush=True)
                raise
    except KeyboardInterrupt:
        print("Stopped. The next start resumes from here.", flush=True)


def timed_printer() -> Callable[[str], None]:
    """Return a function that prints a line of progress with the seconds since now."""
    began = time.monotonic()
    return lambda line: print(f"  {time.monotonic() - began:5.1f} s  {line}", flush=True)


class EventPrinter:
    """Print what an operator should know about the children; use it as `on_event`.

    That is a crash, that a child runs again after one, and at the end what is being stopped and how long it took.
    """

    def __init__(self) -> None:
        self._stopping_since: dict[str, float] = {}

    def __call__(self, event: ChildEvent) -> None:
        match event.kind:
            case ChildEventKind.CRASHED | ChildEventKind.ABANDONED:
                _print_event("!", str(event))
            case ChildEventKind.READY if event.detail:
                _print_event("✓", f"{event.name}: {event.detail}")
            case ChildEventKind.STOPPING:
                self._stopping_since[event.name] = time.monotonic()
                _print_event("·", f"{event.name}: stopping")
            case ChildEventKind.STOPPED:
                seconds = time.monotonic() - self._stopping_since.pop(event.name)
                _print_event("·", f"{event.name}: stopped after {seconds:.1f} s")


def _print_event(mark: str, text: str) -> None:
    print(f"  {mark}        {text}", flush=True)


def _print_summary(stack: DemoStack, seconds: float) -> None:
    print(f"\nReady after {seconds:.0f} s\n")
    print(f"  console            {stack.api_url}/console/")
    print(f"  API                {stack.api_url}/api/v1")
    print(f"  API documentation  {stack.api_url}/api/docs")
    print(f"  health             {stack.api_url}/api/v1/system/health")
    print(f"  node (JSON-RPC)    {stack.chain_rpc.endpoint}")
    print(f"  logs               {stack.data / 'logs'}")
    print("\n  Sign-in accounts (wallets of this demo only)")
    for name, role in USER_ROLES.items():
        voter = ", approves redemptions" if name in APPROVERS else ""
        print(f"    {name:<8} {stack.accounts.address(name)}  {role}{voter}")
    if stack.fund is not None:
        print(f"  Investors: {', '.join(INVESTORS)}")
        print("\n  Follow one redemption (in a second terminal):")
        _print_commands(f"{sys.argv[0]} demo{_data_option(stack.data)}", {
            "request ines 120000": "request a redemption on chain; prints the request's ID",
            "approve ID --as vera": "sign the approval; the application sends it",
            "warp 8d": "move chain time; the application settles what is due",
            "show ID": "show the request's timeline",
        })  # fmt: skip
    print("\n  Check the state of the system:")
    _print_commands(f"{sys.argv[0]} --env-file {_short(stack.env_file)}", {
        "status": "show blocks, leases, queue, wallets",
        "reconcile": "compare the recorded state with the chain",
    })  # fmt: skip
    print("\n  Ctrl-C stops everything; the next start resumes from there.", flush=True)


def _print_commands(program: str, meanings: dict[str, str]) -> None:
    for arguments, meaning in meanings.items():
        print(f"    {program} {arguments:<21} {meaning}")


def _data_option(data: Path) -> str:
    return "" if data == DEFAULT_DATA.resolve() else f" --data {_short(data)}"


def _short(path: Path) -> Path:
    """Return the path as it would be typed in this folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
